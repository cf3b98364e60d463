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
           const timespec* deadline,
           std::uint32_t sleepers) noexcept {
    return syscall(SYS_futex, &word, operation, value, deadline, nullptr, sleepers);
}

std::uint32_t bit(std::uint32_t sleeper) {
    return std::uint32_t{1} << sleeper;
}

} // namespace

void Doorbell::wake(std::uint32_t sleeper) noexcept {
    futex(state_, FUTEX_WAKE_BITSET, 1, nullptr, bit(sleeper));
}

bool Doorbell::announce(Sleeper who) noexcept {
    std::uint32_t expected = awake;
    if (state_.compare_exchange_strong(expected, asleep(who), std::memory_order_seq_cst)) {
        return true;
    }
    state_.exchange(awake, std::memory_order_seq_cst); // not a store: it must see the ringer's work
    return false;
}

void Doorbell::wait(TimePoint deadline, Sleeper who) noexcept {
    // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, which is steady_clock on Linux.
    const auto since_start = deadline.time_since_epoch();
    if (since_start <= Duration::zero()) {
        return;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_start);
    const timespec until{.tv_sec = seconds.count(), .tv_nsec = (since_start - seconds).count()};
    // Whatever the word is: a sleeper that was relieved sleeps on until it is announced or called.
    const std::uint32_t state = state_.load(std::memory_order_seq_cst);
    if (state != rung) {
        futex(state_, FUTEX_WAIT_BITSET, state, &until, bit(static_cast<std::uint32_t>(who)));
    }
}

bool Doorbell::rise() noexcept {
    return state_.exchange(awake, std::memory_order_seq_cst) == rung;
}

void Doorbell::ring() noexcept {
    const int saved = errno; // signal handlers call this
    const std::uint32_t before = state_.exchange(rung, std::memory_order_seq_cst);
    if (before >= first_asleep) {
        wake(before - first_asleep);
    }
    errno = saved;
}

void Doorbell::ring_if_asleep() noexcept {
    std::uint32_t state = state_.load(std::memory_order_seq_cst);
    if (state >= first_asleep &&
        state_.compare_exchange_strong(state, rung, std::memory_order_seq_cst)) {
        wake(state - first_asleep);
    }
}

void Doorbell::call(Sleeper who) noexcept {
    state_.exchange(rung, std::memory_order_seq_cst);
    wake(static_cast<std::uint32_t>(who));
}

} // namespace muster::transport
