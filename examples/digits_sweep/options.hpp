#pragma once

#include <cstdint>
#include <string>

namespace digits {

/// What the command line says.
struct SweepOptions {
    std::string data;
    int trials = 24;
    int epochs = 16;
    int ranks_per_trial = 1;
    std::uint64_t seed = 1;
    bool wants_help = false; ///< Print help_text() and do nothing else.
};

/// Throws muster::UsageError with one sentence for anything that cannot be meant.
[[nodiscard]] SweepOptions parse_options(int argc, const char* const* argv);

[[nodiscard]] std::string help_text();

} // namespace digits
