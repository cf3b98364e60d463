#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace muster::launcher::sweep {

/// How far a sweep has come.
struct Standing {
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    std::uint64_t earlier = 0;          ///< Of those, done before this run.
    std::uint64_t running = 0;          ///< Or ready to run.
    std::optional<std::uint64_t> total; ///< Once all are known.
    std::chrono::duration<double> time{};
};

/// "523 of 1,000 done, 2 failed; 34.1/s, 14 s left": one line without its end.
[[nodiscard]] std::string progress_line(const Standing& standing);

/// "1,000 commands: 998 succeeded, 2 failed, in 29 s".
[[nodiscard]] std::string summary_line(const Standing& standing);

/// Writes lines on standard error: over one another on a terminal, else one every now and then.
class ProgressDisplay {
public:
    explicit ProgressDisplay(bool quiet);
    ProgressDisplay(const ProgressDisplay&) = delete;
    ProgressDisplay& operator=(const ProgressDisplay&) = delete;

    ~ProgressDisplay() { clear(); }

    /// How long until it wants to be told again; nothing: never.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> next() const;

    void show(const Standing& standing);

    /// Before anything else is printed.
    void clear();

private:
    using Clock = std::chrono::steady_clock;

    bool quiet_;
    bool terminal_;
    bool line_open_ = false;
    Clock::time_point due_;
};

} // namespace muster::launcher::sweep
