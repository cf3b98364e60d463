#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace muster::data {

/// Bytes of an open file that are wanted.
struct ReadRequest {
    int fd = -1;
    std::uint64_t offset = 0;
    std::byte* to = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t done = 0; ///< How many came, from the first on.
};

/// Asks for all of them at once, where the system can (io_uring), so that a disk or file server
/// sees them together; one by one otherwise. Requests may come back short: who asked reads the
/// rest, and hears why not. One of read_requests_*.cpp defines it. Any thread.
void read_requests(std::span<ReadRequest> requests);

} // namespace muster::data
