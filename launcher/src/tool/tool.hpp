#pragma once

#include <muster/base/result.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace muster::launcher {

/// How a program that was asked something ended, and what it said.
struct ToolAnswer {
    int code = 0; ///< Its exit code; 128 and the signal's number if one ended it.
    std::string out;
    std::string err;
};

struct ToolOptions {
    std::string input{};                    ///< On its standard input.
    std::vector<std::string> environment{}; ///< "NAME=value"; empty: ours.
    std::chrono::milliseconds patience{60'000};
};

/// Runs a program of the system's (sbatch, squeue, …) found in PATH, and waits for its end.
///
/// @return a Failure if it cannot be started, or has not ended in time and was killed.
Result<ToolAnswer> ask_tool(const std::vector<std::string>& command,
                            const ToolOptions& options = {});

/// The first line that a failed tool printed, for a sentence: "sbatch: error: invalid partition".
std::string first_complaint(const ToolAnswer& answer);

} // namespace muster::launcher
