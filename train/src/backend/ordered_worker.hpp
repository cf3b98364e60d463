#pragma once

#include <muster/train/backend.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace muster::train {

/// One thread that carries out calls, one after another, in the order in which they were submitted.
///
/// A call that waits for other members looks at its stop token meanwhile and ends, by throwing,
/// when stop is requested: a member that leaves with an exception waits for nobody.
class OrderedWorker {
public:
    using Work = std::function<void(const std::stop_token&)>;

    OrderedWorker();
    OrderedWorker(const OrderedWorker&) = delete;
    OrderedWorker& operator=(const OrderedWorker&) = delete;
    ~OrderedWorker(); ///< Carries out what was submitted first, unless it was stopped.

    [[nodiscard]] std::unique_ptr<Pending> submit(Work work);

    /// One call, from submission to its end.
    struct Job;

private:
    class JobPending;

    void serve();

    std::stop_source stop_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Job>> queue_; ///< Guarded by mutex_.
    bool is_closed_ = false;                 ///< Guarded by mutex_.
    std::thread thread_;
};

/// Calls `is_done` until it is true, at first without a pause, then with pauses of a small part of
/// the time that has passed.
/// @throws Error (aborted) when stop is requested.
void poll(const std::stop_token& stop, const std::function<bool()>& is_done);

} // namespace muster::train
