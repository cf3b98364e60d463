#pragma once

#include "look/clock_map.hpp"

#include <muster/look/trace_file.hpp>

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

/// A run's traces, joined: all times are nanoseconds since its first rank began to write, by the
/// driver's rank's clock. [pure, but for find_traces() and load()]
namespace muster::launcher::look {

struct TracedRank {
    muster::look::TraceHeader header;
    bool complete = false; ///< It ended in order.
    std::string damage;    ///< Where its file cannot be read further, and why.
    bool clock_known = true;
    std::int64_t last = 0; ///< The end of what it noted last.
};

/// What a thread ran without a break.
struct Slice {
    std::uint64_t task = 0;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::uint32_t function = 0;
    std::uint32_t lane = 0;
    std::int32_t rank = 0;
    std::uint16_t attempt = 0;
    std::uint8_t what = 0; ///< Bits, muster::look::ran_*.
    bool cut_off = false;  ///< It still ran when its trace ends.

    [[nodiscard]] bool is(unsigned bit) const { return (what & bit) != 0; }
};

struct Submitted {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t stride = 1;
    std::int64_t at = 0;
    std::uint64_t parent = 0; ///< The task that did it; 0: the driver.
    std::uint32_t function = 0;
    std::uint32_t name = 0; ///< A place in Model::own_names; 0: none.
};

struct Transfer {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::uint64_t bytes = 0;
    std::int32_t from = 0;
    std::int32_t to = 0;
};

struct Collective {
    std::uint64_t task = 0;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::uint64_t bytes = 0;
    std::int32_t rank = 0;
    std::uint32_t lane = 0;
    std::uint8_t kind = 0;
};

struct Wait {
    std::uint64_t task = 0;   ///< Who waits; 0: the driver.
    std::uint64_t object = 0; ///< For what; 0: several, or not known.
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int32_t rank = 0;
    std::uint32_t lane = 0;
};

struct Model {
    std::uint64_t run_id = 0;
    std::int32_t world_size = 0;
    std::vector<TracedRank> ranks; ///< Those that have a file, by rank.
    std::vector<std::int32_t> missing;
    std::map<std::uint32_t, std::string> functions;
    std::vector<std::string> own_names{std::string()};
    std::vector<Slice> slices;                                  ///< By begin.
    std::vector<Submitted> submitted;                           ///< By first.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> edges; ///< Task, what it takes; sorted.
    std::vector<Transfer> transfers;
    std::vector<Collective> collectives;
    std::vector<Wait> waits;                                     ///< By end.
    std::unordered_map<std::uint64_t, std::uint32_t> why_failed; ///< By task: its last failure.
    std::int64_t end = 0;                                        ///< Of the last that is known.

    [[nodiscard]] std::string function_name(std::uint32_t function) const;
    /// Which submission a task came with; null: none that is known.
    [[nodiscard]] const Submitted* submission_of(std::uint64_t task) const;
    /// The name that it was given; empty: none.
    [[nodiscard]] const std::string& own_name(std::uint64_t task) const;
};

/// "0:17"
[[nodiscard]] std::string task_name(std::uint64_t task);

/// The files of one run.
struct TraceFiles {
    std::uint64_t run_id = 0;
    std::vector<std::filesystem::path> files;
    std::vector<std::uint64_t> others; ///< Runs that have files there as well, older ones.
};

/// @param run  Its number in hexadecimal; empty: the one that began last.
/// @throws Error if there are none.
[[nodiscard]] TraceFiles find_traces(const std::filesystem::path& directory,
                                     const std::string& run);

/// @throws Error if a file is no trace.
[[nodiscard]] Model load(const TraceFiles& files);

/// What cannot be seen in it, a sentence each: ranks without a file, files that are cut off.
[[nodiscard]] std::vector<std::string> shortcomings(const Model& model);

/// Joins a rank's records to a model, whose times are the driver's rank's own; finish() makes them
/// relative. For load(), and tests.
class ModelBuilder {
public:
    /// @param names  Of the rank.
    void add(const muster::look::TraceHeader& header,
             const ClockMap& clock,
             const muster::look::Names& names,
             const std::vector<std::pair<std::uint32_t, std::vector<muster::look::Record>>>& lanes,
             bool complete,
             std::string damage,
             bool clock_known);

    [[nodiscard]] Model finish();

private:
    Model model_;
    std::vector<std::int64_t> begins_;
    std::map<std::string, std::uint32_t> numbers_;
    std::unordered_map<std::uint64_t, Slice> running_; ///< Said to run, by task.
};

} // namespace muster::launcher::look
