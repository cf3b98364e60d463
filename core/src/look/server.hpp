#pragma once

#include <muster/base/result.hpp>
#include <muster/look/place.hpp>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace muster::look {

/// Listens for those who look at this run, each on a thread of its own. A connection brings one
/// request, a line, and takes lines until it is closed.
class Server {
public:
    /// Says a line. @return false if nobody listens any more.
    using Say = std::function<bool(std::string_view line)>;
    using Answer = std::function<void(std::string_view request, const Say& say)>;

    /// @param answer  Called on a thread of its own for each request, several at once.
    [[nodiscard]] static Result<std::unique_ptr<Server>>
    open(std::string_view runtime_directory, std::string_view job, Answer answer);

    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    /// Ends all connections, and removes the socket. Not before what answers waits for can end.
    ~Server();

    /// Before an end that runs no destructors.
    void remove_socket() noexcept { look::remove_socket(listening_); }

private:
    struct Connection {
        int fd = -1;
        bool done = false; ///< Its thread is about to end.
        std::thread thread;
    };

    /// At once; others wait for their turn.
    static constexpr std::size_t connections_max = 32;

    Server(Listening listening, Answer answer);
    void accept_all();
    void serve(Connection& connection);
    void join_done();

    Listening listening_;
    Answer answer_;
    int stop_[2] = {-1, -1}; ///< A pipe, whose end wakes who accepts.

    std::mutex mutex_; ///< Guards what follows.
    std::list<Connection> connections_;
    bool ending_ = false;

    std::thread acceptor_;
};

} // namespace muster::look
