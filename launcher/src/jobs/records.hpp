#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::jobs {

/// What `muster submit` keeps of a job: Slurm forgets it minutes after its end, unless the site has
/// accounting.
struct JobRecord {
    std::string id;
    std::string name;
    std::int64_t submitted = 0; ///< Seconds since 1970.
    std::string directory;
    std::string log; ///< Absolute; as a pattern.
    std::string array;
    std::string command; ///< As a shell would take it.
};

/// Lines "key=value"; no value has a line break in it, or it is written as \n.
[[nodiscard]] std::string record_text(const JobRecord& record);

/// Nothing if the text names no job. Keys that are not known are left out.
[[nodiscard]] std::optional<JobRecord> parse_record(std::string_view text);

/// "x-12.out" of "%x-%j.out", job 12 called "x"; of an element "12_3" what an array's pattern says
/// (%A_%a). What only a running job knows (%N, and %a of an array as a whole) stays.
[[nodiscard]] std::string
log_path(std::string_view pattern, std::string_view id, std::string_view name);

/// What a batch script has noted down of its job, while it ran.
struct JobEvent {
    enum class Kind { started, requeued, continued, ended };

    Kind kind = Kind::started;
    std::int64_t time = 0;
    int number = 0;   ///< started: how often before; ended and requeued: the exit code.
    std::string text; ///< started: the nodes; continued: the job that goes on.
};

/// Lines that cannot be read are left out: the last may have been cut off by a full disk.
[[nodiscard]] std::vector<JobEvent> parse_events(std::string_view text);

/// All that is kept of a job, or of an element of an array.
struct KnownJob {
    std::string id; ///< "12", or "12_3".
    std::optional<JobRecord> record;
    std::vector<JobEvent> events;
};

} // namespace muster::launcher::jobs
