#pragma once

#include "sweep/halt.hpp"
#include "sweep/job.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster::launcher::sweep {

/// What is printed of the commands' output.
enum class Print : std::uint8_t {
    grouped, ///< All of a command's, once it has ended; its errors to standard error.
    none,
};

/// Everything a sweep is told.
struct Plan {
    std::vector<Group> groups;
    HaltRule halt;
    std::optional<std::uint64_t> fails_max; ///< With more failed ones it stops at once.
    std::string journal;                    ///< Folder; empty: none.
    bool resume = false;
    bool resume_failed = false; ///< Those that had failed run again, too.
    /// Stop when for so long only other jobs have had something to run; 0: wait for them.
    std::chrono::milliseconds idle_timeout{0};
    std::size_t jobs_max = 0; ///< That run at once; 0: as resources allow.
    Print print = Print::grouped;
    bool keeps_order = false; ///< Of what is printed.
    bool tags = false;        ///< Each line printed begins with the command's name.
    bool counts_only = false; ///< How much is left: nothing is run or written.
    bool quiet = false;       ///< No progress and no summary.
    std::string job_log;      ///< File, as GNU parallel's --joblog; empty: none.
};

/// The driver of the sweep; in muster::run().
/// @return 0 if all commands succeeded, or it was to stop at a success; 1 if some failed.
/// @throws UsageError, Error.
int run_sweep(Plan plan);

/// Prints, as JSON, how many commands there are, how many the journal has as succeeded and as
/// failed, and how many are left to run; runs none. In muster::run().
int print_left(Plan plan);

/// Prints the commands, one per line, and runs none.
int print_commands(Plan plan);

} // namespace muster::launcher::sweep
