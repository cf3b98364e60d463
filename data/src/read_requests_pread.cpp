#include "read_requests.hpp"

#include <unistd.h>

namespace muster::data {

void read_requests(std::span<ReadRequest> requests) {
    for (ReadRequest& request : requests) {
        const ssize_t bytes =
            ::pread(request.fd, request.to, request.bytes, static_cast<off_t>(request.offset));
        request.done = bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
    }
}

} // namespace muster::data
