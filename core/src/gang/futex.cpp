#include "gang/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <limits>

namespace muster::gang::futex {

// Not FUTEX_PRIVATE_FLAG: the word may be in memory of several processes.

void sleep_word(const void* word, std::uint32_t value, std::chrono::milliseconds at_most) {
    timespec timeout{};
    timeout.tv_sec = at_most.count() / 1000;
    timeout.tv_nsec = at_most.count() % 1000 * 1'000'000;
    // Whatever ends it (a wake-up, another value, the time, a signal), the caller looks again.
    syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, nullptr, 0);
}

void wake_word(const void* word) {
    syscall(SYS_futex, word, FUTEX_WAKE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
}

} // namespace muster::gang::futex
