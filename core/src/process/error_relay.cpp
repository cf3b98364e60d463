#include "process/error_relay.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <vector>

namespace muster::process {
namespace {

constexpr std::size_t lines_max = 10;

void write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(STDERR_FILENO, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; // closed, or full and not to be waited for: as if the process had written there
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

} // namespace

bool ErrorRelay::Stream::pass_on() {
    const std::lock_guard lock(mutex_);
    std::array<char, 16384> buffer; // left uninitialised: read() fills what is used
    // Bounded: a process that writes without end must not keep its reader.
    for (int reads = 0; reads < 16; ++reads) {
        const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
        if (n > 0) {
            const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
            tail_.append(bytes);
            write_all(bytes);
        } else if (n == 0 || errno != EINTR) {
            return n < 0 && errno == EAGAIN;
        }
    }
    return true;
}

void ErrorRelay::Stream::forget() {
    pass_on();
    const std::lock_guard lock(mutex_);
    (void)tail_.take();
}

std::string ErrorRelay::Stream::last_lines() {
    pass_on();
    const std::lock_guard lock(mutex_);
    std::string text = tail_.take();
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    std::size_t begin = text.size();
    for (std::size_t lines = 0; lines < lines_max && begin != 0; ++lines) {
        const auto newline = text.rfind('\n', begin - 1);
        begin = newline == std::string::npos ? 0 : newline;
    }
    text.erase(0, begin);
    if (!text.empty() && text.front() == '\n') {
        text.erase(0, 1);
    }
    return text;
}

std::shared_ptr<ErrorRelay::Stream> ErrorRelay::add(UniqueFd fd) {
    auto stream = std::make_shared<Stream>(std::move(fd));
    const std::lock_guard lock(mutex_);
    if (!wake_) {
        wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!wake_) {
            return nullptr;
        }
        thread_ = std::thread([this] { work(); });
    }
    streams_.push_back(stream);
    wake();
    return stream;
}

void ErrorRelay::wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void ErrorRelay::work() {
    std::vector<std::shared_ptr<Stream>> streams;
    std::vector<pollfd> events;
    while (true) {
        streams.clear();
        {
            const std::lock_guard lock(mutex_);
            if (ending_) {
                return;
            }
            for (auto place = streams_.begin(); place != streams_.end();) {
                if (auto stream = place->lock()) {
                    streams.push_back(std::move(stream));
                    ++place;
                } else {
                    place = streams_.erase(place);
                }
            }
        }
        events.assign(1, {wake_.get(), POLLIN, 0});
        for (const auto& stream : streams) {
            events.push_back({stream->fd_.get(), POLLIN, 0});
        }
        ::poll(events.data(), events.size(), -1);
        std::uint64_t count = 0;
        [[maybe_unused]] const auto taken = ::read(wake_.get(), &count, sizeof count);
        for (std::size_t i = 0; i < streams.size(); ++i) {
            if (events[i + 1].revents != 0 && !streams[i]->pass_on()) {
                const std::lock_guard lock(mutex_);
                std::erase_if(streams_, [&](const auto& one) { return one.lock() == streams[i]; });
            }
        }
    }
}

ErrorRelay::~ErrorRelay() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    if (thread_.joinable()) {
        wake();
        thread_.join();
    }
}

} // namespace muster::process
