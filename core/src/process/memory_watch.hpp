#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace muster::process {

/// Resident memory of a process and its descendants that is its own: anonymous and shared memory,
/// not the pages of programs and files. Zero if it has ended.
std::uint64_t own_memory_bytes(pid_t pid);

/// Finds processes that use more memory than they may, by looking. How often depends on how far a
/// process is from its limit: it must not get much beyond it between two looks.
///
/// Not an address-space limit: CUDA and sanitizers reserve far more than they use.
class MemoryWatch {
public:
    using Clock = std::chrono::steady_clock;

    struct Excess {
        pid_t pid = 0;
        std::uint64_t used_bytes = 0;
    };

    void add(pid_t pid, std::uint64_t limit_bytes, Clock::time_point now);
    void remove(pid_t pid);

    /// Looks at those whose time has come. @return those over their limit.
    [[nodiscard]] std::vector<Excess> look(Clock::time_point now);

    /// When to look next; nothing if nobody is watched.
    [[nodiscard]] std::optional<Clock::time_point> next_look() const;

private:
    struct Watched {
        std::uint64_t limit_bytes = 0;
        Clock::time_point next;
    };

    std::map<pid_t, Watched> watched_;
};

} // namespace muster::process
