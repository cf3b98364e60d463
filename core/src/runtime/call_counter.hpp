#pragma once

#include <muster/base/ids.hpp>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace muster::runtime {

/// Calls under way, by who calls which actor: what makes callers of a slow actor wait.
/// Threads: any; callers wait, the progress thread counts down.
class CallCounter {
public:
    /// Counts one more, if that makes no more than `max`. @return false if not.
    [[nodiscard]] bool begin(ObjectId actor, ObjectId context, std::uint32_t max) {
        const std::lock_guard lock(mutex_);
        auto& count = counts_[{actor, context}];
        if (count >= max) {
            return false;
        }
        ++count;
        return true;
    }

    /// As begin(), after waiting for it. @return false if the run ended first.
    [[nodiscard]] bool wait(ObjectId actor, ObjectId context, std::uint32_t max) {
        std::unique_lock lock(mutex_);
        ++waiting_;
        const auto count = [&]() -> std::uint32_t& { return counts_[{actor, context}]; };
        changed_.wait(lock, [&] { return ended_ || count() < max; });
        --waiting_;
        count() += ended_ ? 0 : 1;
        return !ended_;
    }

    void done(ObjectId actor, ObjectId context, std::uint32_t calls) {
        const std::lock_guard lock(mutex_);
        const auto place = counts_.find({actor, context});
        if (place != counts_.end() && (place->second -= calls) == 0) {
            counts_.erase(place);
        }
        if (waiting_ > 0) {
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
    std::map<std::pair<ObjectId, ObjectId>, std::uint32_t> counts_;
    std::uint32_t waiting_ = 0;
    bool ended_ = false;
};

} // namespace muster::runtime
