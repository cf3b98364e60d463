#include "read_requests.hpp"

#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace muster::data {
namespace {

constexpr unsigned entries = 256;

/// A read longer than this is a call of its own: there is nothing to gain by asking together.
constexpr std::uint64_t long_bytes = 1U << 20U;

/// A thread's ring; none where the system has none, or forbids it, as some containers do.
class Ring {
public:
    Ring() : is_open_(::io_uring_queue_init(entries, &ring_, 0) == 0) {}

    ~Ring() {
        if (is_open_) {
            ::io_uring_queue_exit(&ring_);
        }
    }

    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    [[nodiscard]] bool is_open() const { return is_open_; }

    /// At most `entries` requests. What was submitted is waited for whatever happens, since the
    /// kernel writes to the caller's memory; what could not be comes back short.
    void read(std::span<ReadRequest> requests) {
        for (ReadRequest& request : requests) {
            io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_); // there are enough of them
            ::io_uring_prep_read(entry,
                                 request.fd,
                                 request.to,
                                 static_cast<unsigned>(request.bytes),
                                 request.offset);
            ::io_uring_sqe_set_data(entry, &request);
        }
        std::size_t submitted = 0;
        std::size_t completed = 0;
        while (submitted < requests.size()) {
            const int count = ::io_uring_submit(&ring_);
            if (count > 0) {
                submitted += static_cast<std::size_t>(count);
            } else if (completed < submitted) { // short of memory: that of an answer becomes free
                take_answer();
                ++completed;
            } else if (count != -EINTR) {
                break;
            }
        }
        for (; completed < submitted; ++completed) {
            take_answer();
        }
        if (submitted < requests.size()) { // entries that nobody submits any more
            ::io_uring_queue_exit(&ring_);
            is_open_ = false;
        }
    }

private:
    void take_answer() {
        io_uring_cqe* answer = nullptr;
        while (::io_uring_wait_cqe(&ring_, &answer) != 0) { // interrupted by a signal
        }
        auto* const request = static_cast<ReadRequest*>(::io_uring_cqe_get_data(answer));
        request->done = answer->res > 0 ? static_cast<std::uint64_t>(answer->res) : 0;
        ::io_uring_cqe_seen(&ring_, answer);
    }

    io_uring ring_{};
    bool is_open_;
};

void read_one(ReadRequest& request) {
    const ssize_t bytes =
        ::pread(request.fd, request.to, request.bytes, static_cast<off_t>(request.offset));
    request.done = bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

} // namespace

void read_requests(std::span<ReadRequest> requests) {
    thread_local Ring ring;
    while (!requests.empty()) {
        const auto is_long = [](const ReadRequest& request) { return request.bytes > long_bytes; };
        const auto first_long = std::find_if(requests.begin(), requests.end(), is_long);
        const auto together =
            std::min<std::size_t>(static_cast<std::size_t>(first_long - requests.begin()), entries);
        if (together < 2 || !ring.is_open()) {
            read_one(requests.front());
            requests = requests.subspan(1);
            continue;
        }
        ring.read(requests.first(together));
        requests = requests.subspan(together);
    }
}

} // namespace muster::data
