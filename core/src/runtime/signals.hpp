#pragma once

#include <functional>

namespace muster::runtime {

/// While one lives, SIGINT and SIGTERM are noted instead of ending the process at once, and
/// `wake` (async-signal-safe) is called. One at a time per process.
class SignalScope {
public:
    explicit SignalScope(void (*wake)());
    SignalScope(const SignalScope&) = delete;
    SignalScope& operator=(const SignalScope&) = delete;
    ~SignalScope();
};

/// The signal that came, or 0.
[[nodiscard]] int pending_signal() noexcept;

/// Ends the process as the signal asks: a line on standard error if `speaks` (one rank does), exit
/// status 128 + signal. What this rank started is ended by its zygote, which sees the rank go.
[[noreturn]] void end_by_signal(int signal, bool speaks) noexcept;

} // namespace muster::runtime
