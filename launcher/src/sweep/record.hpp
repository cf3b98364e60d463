#pragma once

#include "sweep/job.hpp"

#include <cstdint>
#include <string>

namespace muster::launcher::sweep {

/// What a rank is to do: run a command, and put its output where it belongs.
struct Order {
    Command command;
    std::uint64_t id = 0; ///< OutputId.
    std::uint64_t timeout_ms = 0;
    std::uint64_t memory_bytes = 0;
    bool last = true;        ///< No attempt follows if this one fails.
    std::uint64_t run = 0;   ///< Which run of the sweep, for Record.
    std::string output;      ///< Folder of output files, and
    std::string output_name; ///< the beginning of their names; empty: output is not written.
    bool returns_output = false;
};

/// How an attempt at a command ended: what the journal keeps.
struct Record {
    std::uint64_t run = 0;      ///< That ran it.
    std::int32_t exit_code = 0; ///< 128 + signal; 124 if it took too long; 126 if it did not start.
    std::int32_t signal = 0;
    bool timed_out = false;
    bool last = true;  ///< No further attempt was meant to follow.
    std::string error; ///< Why it could not be started, or had to be ended.
    std::string tail;  ///< Of a failed one, the end of its standard error.
    double began = 0;  ///< Seconds since 1970.
    double wall_seconds = 0;
    double cpu_seconds = 0;
    std::uint64_t memory_peak_bytes = 0;
    std::int32_t rank = 0;
    std::string host;
    std::string out; ///< Only if it was asked for.
    std::string err;

    [[nodiscard]] bool ok() const { return exit_code == 0 && !timed_out && error.empty(); }

    /// "exit code 3", "signal 9 (Killed)", …
    [[nodiscard]] std::string how() const;
};

/// The task: runs on some rank. @throws Error if output cannot be written, or it was cancelled.
Record carry_out(const Order& order);

} // namespace muster::launcher::sweep
