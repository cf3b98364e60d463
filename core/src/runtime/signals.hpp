#pragma once

#include <cstdint>

namespace muster::runtime {

/// How often each signal has come since the SignalScope began.
struct SignalCounts {
    std::uint32_t interrupts = 0;    ///< SIGINT. The second ends the process from its handler.
    std::uint32_t terminations = 0;  ///< SIGTERM
    std::uint32_t notices = 0;       ///< SIGUSR2: the end is near.
    std::uint32_t status_wanted = 0; ///< SIGUSR1: somebody asks what waits on whom.

    friend bool operator==(const SignalCounts&, const SignalCounts&) = default;
};

/// While one lives, SIGINT and SIGTERM are noted instead of ending the process at once, and so are
/// SIGUSR1 and SIGUSR2 unless the program has handlers of its own for them; `wake`
/// (async-signal-safe) is called at each. A second SIGINT ends the process at once, whatever any
/// thread of it does. One at a time per process.
class SignalScope {
public:
    explicit SignalScope(void (*wake)());
    SignalScope(const SignalScope&) = delete;
    SignalScope& operator=(const SignalScope&) = delete;
    ~SignalScope();
};

[[nodiscard]] SignalCounts signal_counts() noexcept;

/// Ends the process with a line on standard error if there is one. What this rank started is ended
/// by its zygote, which sees the rank go.
[[noreturn]] void end_process(int exit_code, const char* line) noexcept;

} // namespace muster::runtime
