#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

namespace muster::train {

/// Numbers by name, as a training loop reports them: {{"loss", 0.31}, {"accuracy", 0.9}}.
using Metrics = std::map<std::string, double>;

/// A file that TensorBoard reads: one event for each step, with a scalar for each metric.
///
/// Records are framed as TFRecord has them (length, its masked CRC-32C, the bytes, their masked
/// CRC-32C), and each is an Event of TensorFlow's event.proto, of which only wall_time, step,
/// file_version and summary with simple_value are written. Single precision, as that has them.
class EventFile {
public:
    /// Makes a file in the folder, named as TensorBoard looks for them.
    /// @param wall_time  Seconds since 1970.
    /// @throws Error if it cannot be made.
    EventFile(const std::filesystem::path& folder, double wall_time, std::string_view suffix);

    /// Written through at once, so that it can be looked at while training goes on.
    void add(double wall_time, std::int64_t step, const Metrics& metrics);

private:
    std::filesystem::path path_;
    std::ofstream out_;
};

/// The bytes of one record of such a file. Pure.
[[nodiscard]] std::string event_record(double wall_time, std::int64_t step, const Metrics& metrics);

/// Of the first record, which says what the file is. Pure.
[[nodiscard]] std::string version_record(double wall_time);

} // namespace muster::train
