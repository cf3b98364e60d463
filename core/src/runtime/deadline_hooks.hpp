#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace muster::runtime {

/// One rank's functions to call when the run is about to end, and the thread that calls them.
/// Thread-safe.
class DeadlineHooks {
public:
    DeadlineHooks() = default;
    DeadlineHooks(const DeadlineHooks&) = delete;
    DeadlineHooks& operator=(const DeadlineHooks&) = delete;
    /// Waits for the one that is running; the others are forgotten.
    ~DeadlineHooks();

    /// @return its number; never 0.
    std::uint64_t add(std::function<void()> hook);
    /// Once they have begun, waits until it has been called, unless from a hook.
    void remove(std::uint64_t id);

    /// Calls all, and those that come later at once. `call` calls one, and lets nothing escape.
    void begin(std::function<void(const std::function<void()>&)> call);

    /// Begun, and one runs or is to run.
    [[nodiscard]] bool busy() const;

private:
    void work();

    mutable std::mutex mutex_; ///< Guards everything below.
    std::condition_variable changed_;
    std::map<std::uint64_t, std::function<void()>> hooks_; ///< Not called yet, in order.
    std::function<void(const std::function<void()>&)> call_;
    std::uint64_t last_id_ = 0;
    std::uint64_t running_ = 0; ///< 0: none.
    bool exiting_ = false;
    std::thread thread_;
};

} // namespace muster::runtime
