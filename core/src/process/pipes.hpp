#pragma once

#include "process/protocol.hpp"
#include "process/unique_fd.hpp"

#include <muster/base/result.hpp>

#include <chrono>
#include <optional>
#include <string_view>

namespace muster::process {

Failure system_failure(std::string_view what, int error);

struct Pipe {
    UniqueFd read; ///< Does not block.
    UniqueFd write;
};

/// Nothing, with errno, if there are no descriptors left.
std::optional<Pipe> make_pipe();

/// The next report, waiting for it; nothing at the pipe's end.
std::optional<Report> next_report(int fd);

/// Whether a read would not block within that time, if only because the other end is closed.
bool has_input(int fd, std::chrono::milliseconds timeout = {});

} // namespace muster::process
