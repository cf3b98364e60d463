#include "run/sockets.hpp"

#include "run/machine.hpp"

#include <muster/base/error.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace muster::launcher::run {
namespace {

constexpr auto try_patience = std::chrono::milliseconds(3000);
constexpr auto try_again_after = std::chrono::milliseconds(100);

std::string error_text() {
    return std::generic_category().message(errno);
}

void notice_dead_peers(int fd) {
    const auto set = [fd](int level, int option, int value) {
        ::setsockopt(fd, level, option, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 5);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

/// Waits until it is connected.
bool finish_connect(int fd, std::chrono::milliseconds patience) {
    pollfd state{fd, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    return ::poll(&state, 1, static_cast<int>(patience.count())) == 1 &&
           ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

process::UniqueFd try_connect(const std::string& endpoint) {
    const auto colon = endpoint.rfind(':');
    if (colon == std::string::npos) {
        return {};
    }
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(endpoint.substr(0, colon).c_str(),
                      endpoint.substr(colon + 1).c_str(),
                      &hints,
                      &found) != 0) {
        return {};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        process::UniqueFd socket(
            ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (socket && (::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0 ||
                       (errno == EINPROGRESS && finish_connect(socket.get(), try_patience)))) {
            return socket;
        }
    }
    return {};
}

} // namespace

Connection::Connection(Loop& loop,
                       process::UniqueFd socket,
                       std::size_t frame_max,
                       std::function<void(const Message&)> on_message,
                       std::function<void(const std::string&)> on_end)
    : loop_(loop), socket_(std::move(socket)), decoder_(frame_max),
      on_message_(std::move(on_message)), on_end_(std::move(on_end)) {
    ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    notice_dead_peers(socket_.get());
    loop_.watch(socket_.get(), POLLIN, [this] { read_some(); });
}

Connection::~Connection() {
    if (socket_) {
        loop_.forget(socket_.get());
    }
}

void Connection::end(const std::string& why) {
    if (!socket_) {
        return;
    }
    loop_.forget(socket_.get());
    socket_.reset();
    const auto on_end = on_end_; // it may destroy this
    on_end(why);
}

void Connection::send(const Message& message) {
    const std::string frame = encode(message);
    // Orders and reports are small and few: what does not fit into the kernel's buffer was not read
    // for long.
    if (socket_ && ::send(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
                       static_cast<ssize_t>(frame.size())) {
        ::shutdown(socket_.get(), SHUT_RDWR); // heard of in the loop, not here in the middle of it
    }
}

void Connection::read_some() {
    std::array<char, 65536> buffer;
    const ssize_t count = ::read(socket_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count <= 0) {
        end(count == 0 ? "its connection ended" : "its connection broke: " + error_text());
        return;
    }
    decoder_.add({buffer.data(), static_cast<std::size_t>(count)});
    const auto on_message = on_message_; // stays, should this be destroyed
    while (socket_) {
        const auto message = decoder_.next();
        if (!message) {
            break;
        }
        on_message(*message);
    }
    if (socket_ && decoder_.failed()) {
        end("it says what muster does not understand");
    }
}

std::string Connection::own_address() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    std::array<char, INET_ADDRSTRLEN> text{};
    if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size()) == nullptr) {
        return "127.0.0.1";
    }
    return text.data();
}

Listener listen_at(bool everywhere, int port) {
    Listener listener;
    listener.socket = process::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(everywhere ? INADDR_ANY : INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (!listener.socket ||
        ::bind(listener.socket.get(),
               reinterpret_cast<const sockaddr*>(&address),
               sizeof address) != 0 ||
        ::listen(listener.socket.get(), SOMAXCONN) != 0 ||
        ::getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw Error(fmt::format(
            "muster run cannot listen for the other nodes at port {}: {}", port, error_text()));
    }
    ::fcntl(listener.socket.get(), F_SETFL, O_NONBLOCK);
    listener.port = ntohs(address.sin_port);
    return listener;
}

std::vector<std::string> own_endpoints(int port) {
    std::vector<std::string> endpoints{fmt::format("{}:{}", host_name(), port)};
    ifaddrs* found = nullptr;
    if (::getifaddrs(&found) != 0) {
        return endpoints;
    }
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(found, &::freeifaddrs);
    for (const ifaddrs* each = found; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET ||
            (each->ifa_flags & IFF_LOOPBACK) != 0 || (each->ifa_flags & IFF_UP) == 0) {
            continue;
        }
        std::array<char, INET_ADDRSTRLEN> text{};
        const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
        if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr) {
            endpoints.push_back(fmt::format("{}:{}", text.data(), port));
        }
    }
    return endpoints;
}

process::UniqueFd
connect_to(const std::vector<std::string>& endpoints, Duration patience, int interruptions) {
    const auto until = Loop::now() + patience;
    pollfd interruption{interruptions, POLLIN, 0};
    do {
        for (const std::string& endpoint : endpoints) {
            if (auto socket = try_connect(endpoint)) {
                return socket;
            }
        }
    } while (::poll(&interruption, 1, static_cast<int>(try_again_after.count())) == 0 &&
             Loop::now() < until);
    return {};
}

} // namespace muster::launcher::run
