#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace muster::launcher::run {

/// What a short command said.
struct Captured {
    std::optional<int> code; ///< 128 + signal; nothing if it did not start or took too long.
    std::string out;
    std::string err;
};

/// Runs it without input, and kills it when its time is up. Called before there are threads.
[[nodiscard]] Captured capture(const std::vector<std::string>& argv,
                               std::chrono::milliseconds patience);

} // namespace muster::launcher::run
