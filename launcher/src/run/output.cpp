#include "run/output.hpp"

#include <muster/base/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace muster::launcher::run {
namespace {

constexpr std::size_t waiting_max = 1 << 20;
constexpr std::size_t write_max = 4096; // PIPE_BUF: where poll() says so, this much does not block

} // namespace

Output::Output(Loop& loop, OutputOptions options)
    : loop_(loop), options_(std::move(options)), began_(Loop::now()) {
    channels_[0].fd = STDOUT_FILENO;
    channels_[1].fd = STDERR_FILENO;
}

Output::~Output() {
    for (const auto& [key, fd] : logs_) {
        ::close(fd);
    }
    for (const Channel& each : channels_) {
        loop_.forget(each.fd);
    }
}

void Output::start_generation(int generation, int first_rank, int ranks) {
    for (Channel& each : channels_) {
        each.merger.set_ranks(ranks);
    }
    for (const auto& [key, fd] : logs_) {
        ::close(fd);
    }
    logs_.clear();
    if (options_.log_folder.empty()) {
        return;
    }
    const auto folder =
        std::filesystem::path(options_.log_folder) / fmt::format("attempt-{}", generation);
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    for (int rank = first_rank; rank < first_rank + ranks; ++rank) {
        for (const Stream stream : {Stream::out, Stream::error}) {
            const auto path =
                folder / fmt::format("rank-{}.{}", rank, stream == Stream::out ? "out" : "err");
            const int fd =
                ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
            if (fd < 0) {
                throw Error(fmt::format(
                    "--log-dir: {} cannot be written: {}", path.string(), std::strerror(errno)));
            }
            logs_[{rank, stream}] = fd;
        }
    }
}

void Output::log(int rank, Stream stream, std::string_view text) {
    const auto place = logs_.find({rank, stream});
    if (place == logs_.end()) {
        return;
    }
    while (!text.empty()) {
        const ssize_t written = ::write(place->second, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            const int error = errno;
            ::close(place->second);
            logs_.erase(place);
            say(fmt::format("the log of rank {} ends here: {}", rank, std::strerror(error)));
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

void Output::add(int rank, Stream stream, std::string text) {
    log(rank, stream, text);
    Channel& target = channel(stream);
    if (options_.quiet || target.broken) {
        return;
    }
    if (options_.merge) {
        target.merger.add(Loop::now(), rank, std::move(text));
        tick();
        return;
    }
    // A piece of another rank's line has no end yet: this one begins a line of its own.
    if (!target.at_line_start && target.last_rank != rank) {
        put(target, "\n");
        target.at_line_start = true;
    }
    target.last_rank = rank;
    print(target, fmt::to_string(rank), text);
}

void Output::print(Channel& target, const std::string& ranks, const std::string& text) {
    if (target.at_line_start) {
        const Prefix prefix =
            options_.merge && options_.prefix == Prefix::none ? Prefix::rank : options_.prefix;
        put(target, format_prefix(prefix, ranks, options_.host, Loop::now() - began_));
    }
    put(target, text);
    target.at_line_start = text.ends_with('\n');
}

void Output::say(std::string_view text) {
    Channel& target = channel(Stream::error);
    flush();
    for (Channel& each : channels_) {
        if (!each.at_line_start) {
            put(each, "\n");
            each.at_line_start = true;
        }
    }
    put(target, fmt::format("muster: {}\n", text));
}

void Output::put(Channel& target, std::string_view text) {
    if (target.broken || text.empty()) {
        return;
    }
    const bool was_empty = target.waiting.empty();
    target.waiting += text;
    if (was_empty) {
        loop_.watch(target.fd, POLLOUT, [this, &target] { write_some(target); });
    }
}

void Output::write_some(Channel& target) {
    std::size_t done = 0;
    while (done < target.waiting.size()) {
        pollfd state{target.fd, POLLOUT, 0};
        if (::poll(&state, 1, 0) <= 0) {
            break;
        }
        const ssize_t written = ::write(target.fd,
                                        target.waiting.data() + done,
                                        std::min(write_max, target.waiting.size() - done));
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) {
            break;
        }
        if (written <= 0) {
            target.broken = true;
            target.waiting.clear();
            done = 0;
            break;
        }
        done += static_cast<std::size_t>(written);
    }
    target.waiting.erase(0, done);
    if (target.waiting.empty()) {
        loop_.forget(target.fd);
    }
}

void Output::flush() {
    for (Channel& each : channels_) {
        for (const LineMerger::Merged& line : each.merger.take_all()) {
            print(each, format_ranks(line.ranks), line.text);
        }
    }
}

bool Output::full() const {
    return std::ranges::any_of(
        channels_, [](const Channel& each) { return each.waiting.size() > waiting_max; });
}

bool Output::empty() const {
    return std::ranges::all_of(channels_, [](const Channel& each) { return each.waiting.empty(); });
}

bool Output::is_broken(Stream stream) const {
    return channel(stream).broken;
}

std::optional<TimePoint> Output::deadline() const {
    std::optional<TimePoint> first;
    for (const Channel& each : channels_) {
        if (const auto time = each.merger.deadline(); time && (!first || *time < *first)) {
            first = time;
        }
    }
    return first;
}

void Output::tick() {
    for (Channel& each : channels_) {
        for (const LineMerger::Merged& line : each.merger.take(Loop::now())) {
            print(each, format_ranks(line.ranks), line.text);
        }
    }
}

} // namespace muster::launcher::run
