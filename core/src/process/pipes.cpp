#include "process/pipes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace muster::process {

Failure system_failure(std::string_view what, int error) {
    return {ErrorCode::failed, fmt::format("{}: {}", what, std::generic_category().message(error))};
}

std::optional<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::nullopt;
    }
    Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
    // The reader's end only: the writer is a program that expects to be able to block.
    ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
    return pipe;
}

std::optional<Report> next_report(int fd) {
    while (true) {
        Report report;
        const ssize_t n = ::read(fd, &report, sizeof report);
        if (n == static_cast<ssize_t>(sizeof report)) {
            return report;
        }
        if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
            return std::nullopt;
        }
        pollfd event{fd, POLLIN, 0};
        ::poll(&event, 1, -1);
    }
}

bool has_input(int fd, std::chrono::milliseconds timeout) {
    pollfd event{fd, POLLIN, 0};
    return ::poll(&event, 1, static_cast<int>(timeout.count())) > 0;
}

} // namespace muster::process
