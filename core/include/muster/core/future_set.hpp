#pragma once

#include <muster/core/future.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

namespace muster {

/// Futures that come and go: which is done next?
///
///     muster::FutureSet<double> running;
///     for (int i = 0; i < 100; ++i) { running.add(muster::task<&train>(sample()), i); }
///     while (auto done = running.next()) {
///         report(done->tag, done->future.get());
///         if (more()) { running.add(muster::task<&train>(sample()), next_tag()); }
///     }
///
/// as_completed() is for a number of futures that is known. Costs no message; adding and taking
/// cost the same however many there are. Threads: one at a time.
template <class T>
class FutureSet {
public:
    struct Done {
        Future<T> future;
        std::size_t tag = 0; ///< As it was added.
    };

    FutureSet() : queue_(std::make_shared<detail::CompletionQueue>()) {}

    /// @param tag  The caller's name for it; no two futures in the set have the same.
    void add(Future<T> future, std::size_t tag) {
        (void)future.id();
        const auto block = future.block();
        const std::uint64_t index = future.index();
        if (!futures_.emplace(tag, std::move(future)).second) {
            throw Error("a future of this tag is in the set already", ErrorCode::usage);
        }
        block->watch(index, queue_, tag);
    }

    /// The next one that is done, with a value or without, in order of completion; it leaves the
    /// set. Waits for it, lending the task's CPUs as get() does, until `timeout` has passed.
    /// @return nothing if there are none, or time is up, or the run has ended.
    [[nodiscard]] std::optional<Done>
    next(std::optional<std::chrono::nanoseconds> timeout = std::nullopt) {
        using Clock = std::chrono::steady_clock;
        if (futures_.empty()) {
            return std::nullopt;
        }
        std::optional<Clock::time_point> deadline;
        if (timeout) {
            deadline = *timeout == std::chrono::nanoseconds::zero() ? Clock::time_point::min()
                                                                    : Clock::now() + *timeout;
        }
        const auto& client = futures_.begin()->second.block()->client();
        const auto tag = client->wait_any(*queue_, deadline);
        if (!tag) {
            return std::nullopt;
        }
        auto entry = futures_.extract(*tag);
        return Done{std::move(entry.mapped()), *tag};
    }

    [[nodiscard]] std::size_t size() const { return futures_.size(); }

    [[nodiscard]] bool empty() const { return futures_.empty(); }

    /// Asks all of them to be cancelled; they stay in the set until they are done.
    void cancel_all() {
        for (const auto& [tag, future] : futures_) {
            cancel(future);
        }
    }

private:
    std::shared_ptr<detail::CompletionQueue> queue_;
    std::unordered_map<std::size_t, Future<T>> futures_;
};

} // namespace muster
