#pragma once

#include "gang/channel.hpp"

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace muster::test {

/// The sockets between each two of `members` processes; made before they are forked.
class SocketMesh {
public:
    explicit SocketMesh(int members);

    /// Member `self`'s sockets, by the member at the other end. Closes all the others.
    [[nodiscard]] std::vector<int> keep(int self);
    void close_all();

private:
    std::vector<std::vector<int>> sockets_; // [of][to]
};

/// A channel between processes. For few and small messages: a send blocks until it is written.
class SocketChannel final : public gang::Channel {
public:
    /// `on_loss` is told, on the channel's thread, which member's end closed without a goodbye.
    SocketChannel(std::vector<int> sockets, std::function<void(int)> on_loss);
    ~SocketChannel() override;

    void send(int to,
              gang::Tag tag,
              std::span<const std::byte> data,
              std::shared_ptr<gang::Completion> done) override;
    void receive(int from,
                 gang::Tag tag,
                 std::span<std::byte> into,
                 std::shared_ptr<gang::Completion> done) override;
    void close(const std::string& why) override;

    /// The others need nothing more of this member.
    void say_goodbye();

private:
    struct Waiting {
        std::span<std::byte> into;
        std::shared_ptr<gang::Completion> done;
    };

    using Key = std::pair<int, gang::Tag>;

    void serve();
    bool read_from(int member);
    bool write_to(int member, gang::Tag tag, std::span<const std::byte> data) const;

    const std::vector<int> sockets_;
    const std::function<void(int)> on_loss_;
    std::array<int, 2> stop_{}; // A pipe: closed to end the thread.

    std::mutex mutex_; // Guards the next three.
    std::map<Key, std::deque<std::vector<std::byte>>> arrived_;
    std::map<Key, std::deque<Waiting>> waiting_;
    std::string closed_;

    std::thread thread_;
};

} // namespace muster::test
