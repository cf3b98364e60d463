#include "look/server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

namespace muster::look {
namespace {

constexpr std::size_t request_bytes_max = 64 * 1024;
constexpr timeval request_patience{5, 0};
// A reader that has stopped reading holds a thread, and nothing else.
constexpr timeval answer_patience{60, 0};

/// A thread that no signal reaches: they are for others.
template <class Function>
std::thread start_quietly(Function function) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(std::move(function));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

bool is_of_this_user(int fd) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
           (credentials.uid == ::getuid() || credentials.uid == 0);
}

/// Nothing: no line came.
std::optional<std::string> read_line(int fd) {
    std::string line;
    std::array<char, 4096> some{};
    while (line.size() < request_bytes_max) {
        const ssize_t size = ::recv(fd, some.data(), some.size(), 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return std::nullopt;
        }
        line.append(some.data(), static_cast<std::size_t>(size));
        if (const auto end = line.find('\n'); end != std::string::npos) {
            line.resize(end);
            return line;
        }
    }
    return std::nullopt;
}

bool send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

} // namespace

Result<std::unique_ptr<Server>>
Server::open(std::string_view runtime_directory, std::string_view job, Answer answer) {
    auto listening = look::listen(directories(runtime_directory, ::getuid()), ::getpid(), job);
    if (!listening) {
        return listening.error();
    }
    return std::unique_ptr<Server>(new Server(std::move(*listening), std::move(answer)));
}

Server::Server(Listening listening, Answer answer)
    : listening_(std::move(listening)), answer_(std::move(answer)) {
    if (::pipe2(stop_, O_CLOEXEC) == 0) {
        acceptor_ = start_quietly([this] { accept_all(); });
    }
}

Server::~Server() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        for (const Connection& connection : connections_) {
            if (!connection.done) {
                (void)::shutdown(connection.fd, SHUT_RDWR);
            }
        }
    }
    if (acceptor_.joinable()) {
        ::close(stop_[1]);
        acceptor_.join();
        ::close(stop_[0]);
    }
    for (Connection& connection : connections_) {
        connection.thread.join();
    }
    stop_listening(listening_);
}

void Server::accept_all() {
    while (true) {
        std::array<pollfd, 2> wanted{pollfd{listening_.fd, POLLIN, 0}, pollfd{stop_[0], POLLIN, 0}};
        if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR) {
            return;
        }
        if (wanted[1].revents != 0) {
            return;
        }
        if (wanted[0].revents == 0) {
            continue;
        }
        const int fd = ::accept4(listening_.fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        const std::lock_guard lock(mutex_);
        join_done();
        if (ending_ || connections_.size() >= connections_max || !is_of_this_user(fd)) {
            ::close(fd);
            continue;
        }
        Connection& connection = connections_.emplace_back();
        connection.fd = fd;
        try {
            connection.thread = start_quietly([this, &connection] { serve(connection); });
        } catch (const std::exception&) { // no more threads
            ::close(fd);
            connections_.pop_back();
        }
    }
}

void Server::join_done() {
    for (auto place = connections_.begin(); place != connections_.end();) {
        if (place->done) {
            place->thread.join();
            place = connections_.erase(place);
        } else {
            ++place;
        }
    }
}

void Server::serve(Connection& connection) {
    const int fd = connection.fd;
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &request_patience, sizeof request_patience);
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &answer_patience, sizeof answer_patience);
    if (const auto request = read_line(fd)) {
        std::string gathered;
        bool open = true;
        constexpr std::size_t gathered_max = 32 * 1024;
        try {
            answer_(*request, [&](std::string_view line) {
                gathered += line;
                gathered += '\n';
                if (open && gathered.size() >= gathered_max) {
                    open = send_all(fd, gathered);
                    gathered.clear();
                }
                return open;
            });
        } catch (const std::exception&) {
            open = false; // what is missing at the end says so
        }
        if (open) {
            (void)send_all(fd, gathered);
        }
    }
    const std::lock_guard lock(mutex_);
    connection.done = true;
    ::close(fd);
}

} // namespace muster::look
