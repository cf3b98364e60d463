#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace muster::runtime {

/// Where user threads wait for answers of one kind, each to a request with a number of its own.
/// Threads: any; the progress thread answers.
template <class Answer>
class AnswerDesk {
public:
    [[nodiscard]] std::uint64_t next_request() {
        const std::lock_guard lock(mutex_);
        waiting_.emplace(++last_request_, std::nullopt);
        return last_request_;
    }

    /// Nothing if the run ended first, or no answer came in time.
    [[nodiscard]] std::optional<Answer>
    wait(std::uint64_t request, std::optional<std::chrono::nanoseconds> timeout = std::nullopt) {
        std::unique_lock lock(mutex_);
        const auto place = waiting_.find(request);
        const auto answered = [&] { return ended_ || place->second; };
        if (timeout) {
            changed_.wait_for(lock, *timeout, answered);
        } else {
            changed_.wait(lock, answered);
        }
        auto answer = std::move(place->second);
        waiting_.erase(place);
        return answer;
    }

    void answer(Answer answer) {
        const std::lock_guard lock(mutex_);
        if (const auto place = waiting_.find(answer.request); place != waiting_.end()) {
            place->second = std::move(answer);
            changed_.notify_all();
        }
    }

    void end() {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_; ///< Guards everything below.
    std::condition_variable changed_;
    std::map<std::uint64_t, std::optional<Answer>> waiting_;
    std::uint64_t last_request_ = 0;
    bool ended_ = false;
};

} // namespace muster::runtime
