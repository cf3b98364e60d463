#pragma once

#include "wire/actions.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace muster::runtime {

/// Where user threads wait for the coordinator's answers about names of actors.
/// Threads: any; the progress thread answers.
class NameDesk {
public:
    [[nodiscard]] std::uint64_t next_request() {
        const std::lock_guard lock(mutex_);
        waiting_.emplace(++last_request_, std::nullopt);
        return last_request_;
    }

    /// Nothing if the run ended first.
    [[nodiscard]] std::optional<wire::AnswerName> wait(std::uint64_t request) {
        std::unique_lock lock(mutex_);
        const auto place = waiting_.find(request);
        changed_.wait(lock, [&] { return ended_ || place->second; });
        auto answer = std::move(place->second);
        waiting_.erase(place);
        return answer;
    }

    void answer(wire::AnswerName answer) {
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
    std::map<std::uint64_t, std::optional<wire::AnswerName>> waiting_;
    std::uint64_t last_request_ = 0;
    bool ended_ = false;
};

} // namespace muster::runtime
