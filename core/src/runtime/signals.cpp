#include "runtime/signals.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

namespace muster::runtime {
namespace {

std::atomic<int> received{0};
std::atomic<void (*)()> wake_progress{nullptr};
struct sigaction previous_interrupt;
struct sigaction previous_terminate;

void on_signal(int signal) {
    received.store(signal);
    if (auto* wake = wake_progress.load()) {
        wake();
    }
}

} // namespace

SignalScope::SignalScope(void (*wake)()) {
    MUSTER_ASSERT(wake_progress.load() == nullptr);
    received = 0;
    wake_progress = wake;

    struct sigaction action {};

    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &previous_interrupt);
    ::sigaction(SIGTERM, &action, &previous_terminate);
}

SignalScope::~SignalScope() {
    ::sigaction(SIGINT, &previous_interrupt, nullptr);
    ::sigaction(SIGTERM, &previous_terminate, nullptr);
    wake_progress = nullptr;
}

int pending_signal() noexcept {
    return received.load(std::memory_order_relaxed);
}

void end_by_signal(int signal, bool speaks) noexcept {
    if (speaks) {
        const char* const text =
            signal == SIGINT ? "interrupted (SIGINT)\n" : "terminated (SIGTERM)\n";
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
    }
    ::_exit(128 + signal);
}

} // namespace muster::runtime
