#include "runtime/watchdog.hpp"

#include "runtime/stall_judge.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace muster::runtime {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

void watch(const std::stop_token& stop,
           const std::atomic<std::uint64_t>& rounds,
           Duration limit,
           const std::function<void()>& on_stall) {
    const Duration interval = std::clamp<Duration>(limit / 20, 1ms, 500ms);
    StallJudge judge(limit, interval);
    std::mutex mutex; // for the wait only
    std::unique_lock lock(mutex);
    std::condition_variable_any stopped;
    auto last = Clock::now();
    while (!stopped.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); })) {
        const auto now = Clock::now();
        if (judge.look(rounds.load(std::memory_order_relaxed), now - std::exchange(last, now))) {
            on_stall();
            return;
        }
    }
}

} // namespace

Watchdog::Watchdog(const std::atomic<std::uint64_t>& rounds,
                   Duration limit,
                   std::function<void()> on_stall)
    : thread_([&rounds, limit, on_stall = std::move(on_stall)](const std::stop_token& stop) {
          watch(stop, rounds, limit, on_stall);
      }) {
}

void Watchdog::stop() {
    thread_.request_stop();
}

} // namespace muster::runtime
