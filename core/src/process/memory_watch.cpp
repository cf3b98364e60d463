#include "process/memory_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace muster::process {
namespace {

using namespace std::chrono_literals;

// No faster than a few cores can fault pages in.
constexpr std::uint64_t growth_bytes_per_ms = 8 << 20;
constexpr std::chrono::milliseconds interval_min = 2ms;
constexpr std::chrono::milliseconds interval_max = 100ms;

// By read(2): a stream would cost several times what the kernel takes.
std::string contents(const std::string& path) {
    std::string text;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return text;
    }
    std::array<char, 4096> buffer;
    for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    ::close(fd);
    return text;
}

std::uint64_t kibibytes_after(std::string_view text, std::string_view key) {
    const auto place = text.find(key);
    if (place == std::string_view::npos) {
        return 0;
    }
    text.remove_prefix(place + key.size());
    text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

void add_children(pid_t pid, std::vector<pid_t>& pids) {
    std::error_code error;
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (std::filesystem::directory_iterator at(tasks, error), end; !error && at != end;
         at.increment(error)) {
        const std::string list = contents(at->path().string() + "/children");
        const char* next = list.data();
        const char* const last = next + list.size();
        for (pid_t child = 0; next < last;) {
            const auto [after, failure] = std::from_chars(next, last, child);
            if (failure == std::errc()) {
                pids.push_back(child);
            }
            next = after + 1;
        }
    }
}

} // namespace

std::uint64_t own_memory_bytes(pid_t pid) {
    std::uint64_t sum = 0;
    std::vector<pid_t> pids{pid};
    for (std::size_t i = 0; i < pids.size(); ++i) {
        const std::string status = contents("/proc/" + std::to_string(pids[i]) + "/status");
        sum += (kibibytes_after(status, "\nRssAnon:") + kibibytes_after(status, "\nRssShmem:"))
               << 10;
        add_children(pids[i], pids);
    }
    return sum;
}

void MemoryWatch::add(pid_t pid, std::uint64_t limit_bytes, Clock::time_point now) {
    watched_.emplace(pid, Watched{limit_bytes, now + interval_min});
}

void MemoryWatch::remove(pid_t pid) {
    watched_.erase(pid);
}

std::vector<MemoryWatch::Excess> MemoryWatch::look(Clock::time_point now) {
    std::vector<Excess> found;
    for (auto& [pid, watched] : watched_) {
        if (now < watched.next) {
            continue;
        }
        const std::uint64_t used = own_memory_bytes(pid);
        if (used > watched.limit_bytes) {
            found.push_back({pid, used});
            watched.next = now + interval_max; // it is about to end
            continue;
        }
        const std::chrono::milliseconds safe((watched.limit_bytes - used) / growth_bytes_per_ms);
        watched.next = now + std::clamp(safe, interval_min, interval_max);
    }
    return found;
}

std::optional<MemoryWatch::Clock::time_point> MemoryWatch::next_look() const {
    std::optional<Clock::time_point> next;
    for (const auto& [pid, watched] : watched_) {
        next = next ? std::min(*next, watched.next) : watched.next;
    }
    return next;
}

} // namespace muster::process
