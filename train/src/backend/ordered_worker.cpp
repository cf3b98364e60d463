#include "backend/ordered_worker.hpp"

#include <muster/base/error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <utility>

namespace muster::train {

struct OrderedWorker::Job {
    Work work;
    std::exception_ptr failure; ///< Written before is_done.
    std::atomic<bool> is_done{false};
};

class OrderedWorker::JobPending final : public Pending {
public:
    JobPending(std::shared_ptr<Job> job, std::stop_source stop)
        : job_(std::move(job)), stop_(std::move(stop)) {}

    bool done() override { return job_->is_done.load(std::memory_order_acquire); }

    void wait() override {
        job_->is_done.wait(false, std::memory_order_acquire);
        if (job_->failure) {
            std::rethrow_exception(job_->failure);
        }
    }

    void give_up() noexcept override {
        stop_.request_stop();
        job_->is_done.wait(false, std::memory_order_acquire);
    }

private:
    std::shared_ptr<Job> job_;
    std::stop_source stop_;
};

OrderedWorker::OrderedWorker() : thread_([this] { serve(); }) {
}

OrderedWorker::~OrderedWorker() {
    {
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

std::unique_ptr<Pending> OrderedWorker::submit(Work work) {
    auto job = std::make_shared<Job>();
    job->work = std::move(work);
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(job);
    }
    changed_.notify_all();
    return std::make_unique<JobPending>(std::move(job), stop_);
}

void OrderedWorker::serve() {
    for (;;) {
        std::shared_ptr<Job> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return is_closed_ || !queue_.empty(); });
            if (queue_.empty()) {
                return;
            }
            job = std::move(queue_.front());
            queue_.pop_front();
        }
        try {
            if (stop_.stop_requested()) {
                throw Error("this member gave up the operations of its back end",
                            ErrorCode::aborted);
            }
            job->work(stop_.get_token());
        } catch (...) { // it is the waiting thread's
            job->failure = std::current_exception();
        }
        job->work = nullptr;
        job->is_done.store(true, std::memory_order_release);
        job->is_done.notify_all();
    }
}

void poll(const std::stop_token& stop, const std::function<bool()>& is_done) {
    using Clock = std::chrono::steady_clock;
    constexpr int calls_without_pause = 64;
    const auto begin = Clock::now();
    for (int calls = 0; !is_done(); ++calls) {
        if (stop.stop_requested()) {
            throw Error("this member gave up the operations of its back end", ErrorCode::aborted);
        }
        if (calls < calls_without_pause) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::clamp<Clock::duration>((Clock::now() - begin) / 32,
                                                                    std::chrono::microseconds(5),
                                                                    std::chrono::milliseconds(1)));
        }
    }
}

} // namespace muster::train
