#include "socket_channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace muster::test {
namespace {

constexpr gang::Tag tag_goodbye = ~gang::Tag{0};

struct Head {
    gang::Tag tag = 0;
    std::uint64_t size = 0;
};

bool write_all(int socket, std::span<const std::byte> data) {
    while (!data.empty()) {
        const ssize_t written = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (written <= 0) {
            return false;
        }
        data = data.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

bool read_all(int socket, std::span<std::byte> into) {
    while (!into.empty()) {
        const ssize_t got = ::recv(socket, into.data(), into.size(), 0);
        if (got <= 0) {
            return false;
        }
        into = into.subspan(static_cast<std::size_t>(got));
    }
    return true;
}

} // namespace

SocketMesh::SocketMesh(int members) {
    const auto n = static_cast<std::size_t>(members);
    sockets_.assign(n, std::vector<int>(n, -1));
    for (std::size_t a = 0; a < n; ++a) {
        for (std::size_t b = a + 1; b < n; ++b) {
            std::array<int, 2> pair{};
            if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0) {
                sockets_[a][b] = pair[0];
                sockets_[b][a] = pair[1];
            }
        }
    }
}

std::vector<int> SocketMesh::keep(int self) {
    std::vector<int> own;
    own.swap(sockets_[static_cast<std::size_t>(self)]);
    close_all();
    return own;
}

void SocketMesh::close_all() {
    for (std::vector<int>& row : sockets_) {
        for (const int socket : row) {
            if (socket >= 0) {
                ::close(socket);
            }
        }
        row.clear();
    }
}

SocketChannel::SocketChannel(std::vector<int> sockets, std::function<void(int)> on_loss)
    : sockets_(std::move(sockets)), on_loss_(std::move(on_loss)) {
    if (::pipe(stop_.data()) != 0) {
        throw Error("no pipe for a socket channel");
    }
    thread_ = std::thread([this] { serve(); });
}

SocketChannel::~SocketChannel() {
    ::close(stop_[1]);
    thread_.join();
    ::close(stop_[0]);
    for (const int socket : sockets_) {
        if (socket >= 0) {
            ::close(socket);
        }
    }
}

bool SocketChannel::write_to(int member, gang::Tag tag, std::span<const std::byte> data) const {
    const Head head{tag, data.size()};
    const int socket = sockets_[static_cast<std::size_t>(member)];
    return write_all(socket, std::as_bytes(std::span(&head, 1))) && write_all(socket, data);
}

void SocketChannel::send(int to,
                         gang::Tag tag,
                         std::span<const std::byte> data,
                         std::shared_ptr<gang::Completion> done) {
    if (write_to(to, tag, data)) {
        done->complete();
    } else {
        done->fail("the other end is gone");
    }
}

void SocketChannel::receive(int from,
                            gang::Tag tag,
                            std::span<std::byte> into,
                            std::shared_ptr<gang::Completion> done) {
    const std::lock_guard lock(mutex_);
    auto& arrived = arrived_[{from, tag}];
    if (!arrived.empty()) {
        std::copy(arrived.front().begin(), arrived.front().end(), into.begin());
        arrived.pop_front();
        done->complete();
    } else if (!closed_.empty()) {
        done->fail(closed_);
    } else {
        waiting_[{from, tag}].push_back({into, std::move(done)});
    }
}

void SocketChannel::close(const std::string& why) {
    const std::lock_guard lock(mutex_);
    closed_ = why;
    for (auto& [key, queue] : waiting_) {
        for (const Waiting& waiting : queue) {
            waiting.done->fail(why);
        }
        queue.clear();
    }
}

void SocketChannel::say_goodbye() {
    for (std::size_t member = 0; member < sockets_.size(); ++member) {
        if (sockets_[member] >= 0) {
            write_to(static_cast<int>(member), tag_goodbye, {});
        }
    }
}

void SocketChannel::serve() {
    std::vector<pollfd> polled{{stop_[0], POLLIN, 0}};
    for (const int socket : sockets_) {
        polled.push_back({socket, POLLIN, 0}); // Its own, -1, is ignored by poll().
    }
    while (::poll(polled.data(), polled.size(), -1) >= 0 && polled[0].revents == 0) {
        for (std::size_t i = 1; i < polled.size(); ++i) {
            if (polled[i].revents != 0 && !read_from(static_cast<int>(i) - 1)) {
                polled[i].fd = -1;
            }
        }
    }
}

// False: nothing more will come of it.
bool SocketChannel::read_from(int member) {
    const int socket = sockets_[static_cast<std::size_t>(member)];
    Head head;
    std::vector<std::byte> data;
    bool is_lost = !read_all(socket, std::as_writable_bytes(std::span(&head, 1)));
    if (!is_lost) {
        data.resize(head.size);
        is_lost = !read_all(socket, data);
    }
    if (is_lost) {
        on_loss_(member);
        return false;
    }
    if (head.tag == tag_goodbye) {
        return false;
    }
    const std::lock_guard lock(mutex_);
    auto& waiting = waiting_[{member, head.tag}];
    if (waiting.empty()) {
        arrived_[{member, head.tag}].push_back(std::move(data));
    } else {
        std::copy(data.begin(), data.end(), waiting.front().into.begin());
        waiting.front().done->complete();
        waiting.pop_front();
    }
    return true;
}

} // namespace muster::test
