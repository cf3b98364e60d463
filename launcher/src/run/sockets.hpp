#pragma once

#include "process/unique_fd.hpp"
#include "run/loop.hpp"
#include "run/wire.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace muster::launcher::run {

/// One TCP connection that speaks Messages. A peer whose machine is gone is noticed by the kernel
/// within about twenty seconds.
class Connection {
public:
    /// @param on_message  May close the connection.
    /// @param on_end      Once, with the reason; not when this side closes it.
    Connection(Loop& loop,
               process::UniqueFd socket,
               std::size_t frame_max,
               std::function<void(const Message&)> on_message,
               std::function<void(const std::string& why)> on_end);
    ~Connection();

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void send(const Message& message);

    void set_frame_max(std::size_t frame_max) { decoder_.set_frame_max(frame_max); }

    /// The numeric address of this end.
    [[nodiscard]] std::string own_address() const;

private:
    void read_some();
    void end(const std::string& why);

    Loop& loop_;
    process::UniqueFd socket_;
    Decoder decoder_;
    std::function<void(const Message&)> on_message_;
    std::function<void(const std::string&)> on_end_;
};

struct Listener {
    process::UniqueFd socket;
    int port = 0;
};

/// @param everywhere  Else only this machine can connect.
/// @param port        0: any.
/// @throws Error
[[nodiscard]] Listener listen_at(bool everywhere, int port);

/// "10.0.0.3:4711" for each address at which others may reach this node, and "name:4711" first.
[[nodiscard]] std::vector<std::string> own_endpoints(int port);

/// The first of the endpoints that answers, tried in turn until `patience` is over, or something
/// can be read from `interruptions`. Empty: none.
[[nodiscard]] process::UniqueFd
connect_to(const std::vector<std::string>& endpoints, Duration patience, int interruptions);

} // namespace muster::launcher::run
