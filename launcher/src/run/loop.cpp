#include "run/loop.hpp"

#include <muster/base/error.hpp>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace muster::launcher::run {

void Loop::watch(int fd, short events, Callback ready) {
    watches_[fd] = {events, std::move(ready)};
}

void Loop::set_events(int fd, short events) {
    if (const auto place = watches_.find(fd); place != watches_.end()) {
        place->second.events = events;
    }
}

void Loop::forget(int fd) {
    watches_.erase(fd);
}

void Loop::run(const std::function<std::optional<TimePoint>()>& deadline, const Callback& tick) {
    while (!stopped_) {
        std::vector<pollfd> fds;
        for (const auto& [fd, watch] : watches_) {
            if (watch.events != 0) { // else a hang-up would be reported over and over
                fds.push_back({fd, watch.events, 0});
            }
        }
        int timeout = -1;
        if (const auto until = deadline()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - now()).count();
            timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
        }
        if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) {
            throw Error(std::string("muster run cannot wait for its processes: ") +
                        std::strerror(errno));
        }
        for (const pollfd& each : fds) {
            if (stopped_) {
                return;
            }
            const auto place = watches_.find(each.fd); // one may have removed another
            if (each.revents != 0 && place != watches_.end()) {
                const Callback ready = place->second.ready; // it may replace itself
                ready();
            }
        }
        tick();
    }
}

} // namespace muster::launcher::run
