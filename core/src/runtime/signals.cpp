#include "runtime/signals.hpp"

#include <muster/base/assert.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>

namespace muster::runtime {
namespace {

constexpr std::array<int, 4> signals{SIGINT, SIGTERM, SIGUSR2, SIGUSR1};
std::array<std::atomic<std::uint32_t>, signals.size()> counts;
std::array<struct sigaction, signals.size()> previous;
std::atomic<void (*)()> wake_progress{nullptr};

void on_signal(int signal) {
    for (std::size_t i = 0; i < signals.size(); ++i) {
        if (signals[i] == signal && counts[i].fetch_add(1) > 0 && signal == SIGINT) {
            ::_exit(128 + SIGINT);
        }
    }
    if (auto* wake = wake_progress.load()) {
        wake();
    }
}

bool has_handler(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL;
}

} // namespace

SignalScope::SignalScope(void (*wake)()) {
    MUSTER_ASSERT(wake_progress.load() == nullptr);
    for (auto& count : counts) {
        count = 0;
    }
    wake_progress = wake;

    struct sigaction action {};

    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART; // user code goes on, and its system calls with it
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < signals.size(); ++i) {
        ::sigaction(signals[i], nullptr, &previous[i]);
        const bool may_be_users = signals[i] == SIGUSR1 || signals[i] == SIGUSR2;
        if (!may_be_users || !has_handler(previous[i])) {
            ::sigaction(signals[i], &action, nullptr);
        }
    }
}

SignalScope::~SignalScope() {
    for (std::size_t i = 0; i < signals.size(); ++i) {
        ::sigaction(signals[i], &previous[i], nullptr);
    }
    wake_progress = nullptr;
}

SignalCounts signal_counts() noexcept {
    const auto count = [](std::size_t i) { return counts[i].load(std::memory_order_relaxed); };
    return {count(0), count(1), count(2), count(3)};
}

void end_process(int exit_code, const char* line) noexcept {
    if (line != nullptr) {
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line, std::strlen(line));
    }
    ::_exit(exit_code);
}

} // namespace muster::runtime
