#pragma once

#include <muster/base/error.hpp>

#include <atomic>
#include <mutex>
#include <stop_token>
#include <string>

namespace muster::gang {

/// Why a member's communicator is of no use any more, if so. Any thread; the first reason stays.
class Ending {
public:
    explicit Ending(std::stop_token stop) : stop_(std::move(stop)) {}

    void end(ErrorCode code, std::string why) {
        const std::lock_guard lock(mutex_);
        if (!ended_.load(std::memory_order_relaxed)) {
            code_ = code;
            why_ = std::move(why);
            ended_.store(true, std::memory_order_release);
        }
    }

    /// Ended, or asked to stop.
    [[nodiscard]] bool ended() const {
        return ended_.load(std::memory_order_acquire) || stop_.stop_requested();
    }

    /// @throws Error with the reason, if ended.
    void check() const {
        if (ended_.load(std::memory_order_acquire)) {
            throw Error(why_, code_);
        }
        if (stop_.stop_requested()) {
            throw Error("this member of the gang is asked to stop", ErrorCode::cancelled);
        }
    }

private:
    std::stop_token stop_;
    std::atomic<bool> ended_{false};
    std::mutex mutex_; // Of two that write the reason.
    ErrorCode code_ = ErrorCode::aborted;
    std::string why_;
};

} // namespace muster::gang
