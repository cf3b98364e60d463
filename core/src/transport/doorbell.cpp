#include "transport/doorbell.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>

namespace muster::transport {

namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

// Not the _PRIVATE operations: the ringer may be another process.
long futex(std::atomic<std::uint32_t>& word,
           int operation,
           std::uint32_t value,
           const timespec* deadline) noexcept {
    return syscall(SYS_futex, &word, operation, value, deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
}

} // namespace

bool Doorbell::announce() noexcept {
    std::uint32_t expected = awake;
    if (state_.compare_exchange_strong(expected, asleep, std::memory_order_seq_cst)) {
        return true;
    }
    state_.exchange(awake, std::memory_order_seq_cst); // not a store: it must see the ringer's work
    return false;
}

void Doorbell::wait(TimePoint deadline) noexcept {
    // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, which is steady_clock on Linux.
    const auto since_start = deadline.time_since_epoch();
    if (since_start <= Duration::zero()) {
        return;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_start);
    const timespec until{.tv_sec = seconds.count(), .tv_nsec = (since_start - seconds).count()};
    futex(state_, FUTEX_WAIT_BITSET, asleep, &until);
}

bool Doorbell::rise() noexcept {
    return state_.exchange(awake, std::memory_order_seq_cst) == rung;
}

void Doorbell::ring() noexcept {
    const int saved = errno; // signal handlers call this
    if (state_.exchange(rung, std::memory_order_seq_cst) == asleep) {
        futex(state_, FUTEX_WAKE, 1, nullptr);
    }
    errno = saved;
}

void Doorbell::ring_if_asleep() noexcept {
    std::uint32_t expected = asleep;
    if (state_.load(std::memory_order_seq_cst) == asleep &&
        state_.compare_exchange_strong(expected, rung, std::memory_order_seq_cst)) {
        futex(state_, FUTEX_WAKE, 1, nullptr);
    }
}

} // namespace muster::transport
