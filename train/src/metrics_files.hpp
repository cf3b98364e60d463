#pragma once

#include <muster/train/event_file.hpp>
#include <muster/train/run_ledger.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace muster::train {

/// The metrics of a run on disk, row by row as they are reported: metrics.csv, metrics.jsonl and a
/// file for TensorBoard in one folder. A run that goes on appends to the first two; a step that is
/// done again after a failure has a row for each time, and the later one counts.
class MetricsFiles {
public:
    /// @throws Error if they cannot be written.
    explicit MetricsFiles(const std::filesystem::path& folder);

    /// Written through at once. A metric that is new becomes a column: the header of the CSV file
    /// is written anew, and rows before it are shorter, which readers take for "no value".
    void add(const MetricRow& row);

private:
    void open_csv();

    std::filesystem::path csv_path_;
    std::vector<std::string> columns_; ///< Of metrics, in the order of the header.
    std::ofstream csv_;
    std::ofstream jsonl_;
    EventFile events_;
};

/// A row as one line of JSON, without its end. Numbers that JSON has not are null.
[[nodiscard]] std::string to_json(const MetricRow& row);

} // namespace muster::train
