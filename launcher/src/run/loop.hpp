#pragma once

#include <muster/base/clock.hpp>

#include <functional>
#include <map>
#include <optional>

namespace muster::launcher::run {

/// One poll loop: descriptors with what to call when they are ready, and a deadline.
class Loop {
public:
    using Callback = std::function<void()>;

    /// Replaces what is there. `events` as of poll(2); 0 pauses it.
    void watch(int fd, short events, Callback ready);
    void set_events(int fd, short events);
    void forget(int fd);

    void stop() { stopped_ = true; }

    /// Until stop(). After every round `deadline` says until when to wait at the longest.
    void run(const std::function<std::optional<TimePoint>()>& deadline, const Callback& tick);

    [[nodiscard]] static TimePoint now() { return std::chrono::steady_clock::now(); }

private:
    struct Watch {
        short events = 0;
        Callback ready;
    };

    std::map<int, Watch> watches_;
    bool stopped_ = false;
};

} // namespace muster::launcher::run
