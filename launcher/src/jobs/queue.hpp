#pragma once

#include "jobs/records.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::jobs {

/// How squeue is to be asked: --Format of what parse_queue() reads.
[[nodiscard]] std::string queue_format();

/// What Slurm says of a job, or of an element of an array, in its own words.
struct QueueRow {
    std::string id; ///< "12", "12_3"; "12_[4-10]" of elements that wait.
    std::string name;
    std::string state; ///< "PENDING", "RUNNING", …
    std::string elapsed;
    std::string limit;
    std::string reason; ///< Why it waits; "None" if it does not.
    int exit_code = 0;
    int signal = 0;
    int restarts = 0;
    std::string nodes;
    std::string log;
};

/// What squeue printed; lines that are none of its rows are left out.
[[nodiscard]] std::vector<QueueRow> parse_queue(std::string_view text);

/// What sacct printed, asked by accounting_fields(): once Slurm's daemon has forgotten a job.
[[nodiscard]] std::string accounting_fields();
[[nodiscard]] std::vector<QueueRow> parse_accounting(std::string_view text);

/// A job as `muster jobs` shows it.
struct JobView {
    std::string id;
    std::string name;
    std::string
        state; ///< Slurm's, or "GONE" of a job that Slurm has forgotten and that noted no end.
    std::string elapsed;
    std::string limit;
    std::string reason; ///< Why it waits; empty if it does not.
    std::optional<int> exit_code;
    std::optional<int> signal;
    int restarts = 0;
    std::string nodes;
    std::string log;
    std::string command;
    std::string goes_on_as; ///< The job that --chain submitted.
    std::int64_t submitted = 0;

    [[nodiscard]] bool has_ended() const;
    [[nodiscard]] bool has_failed() const; ///< It has ended, and not well; nor does another go on.
};

/// Jobs that were submitted by `muster submit`, and those that went on from them, by number; of an
/// array its elements. Slurm's word counts before what scripts noted.
[[nodiscard]] std::vector<JobView> join(std::span<const KnownJob> known,
                                        std::span<const QueueRow> rows);

/// Of those that Slurm says nothing about and that noted no end: their numbers.
[[nodiscard]] std::vector<std::string> forgotten(std::span<const JobView> views);

/// Only these jobs; of "12" also its elements. @throws UsageError that names one that is not there.
[[nodiscard]] std::vector<JobView> select(std::vector<JobView> views,
                                          std::span<const std::string> ids);

[[nodiscard]] std::string table(std::span<const JobView> views);
[[nodiscard]] std::string json(std::span<const JobView> views);

} // namespace muster::launcher::jobs
