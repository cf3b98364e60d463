#pragma once

#include "process/unique_fd.hpp"

#include <muster/core/buffer.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace muster::process {

/// A message between a rank and a process that it hosts.
struct Frame {
    Buffer head;                  ///< What it is about.
    std::vector<Buffer> payloads; ///< Values, which are not copied more often than necessary.
};

/// Frames over a SOCK_SEQPACKET socket. Up to some 60 KiB are one packet; more is written into a
/// memory file, which the receiver maps: copied once, whatever its size.
///
/// Threads: one sends and one receives at a time.
class Channel {
public:
    enum class Wait : bool { no, yes };

    struct Received {
        std::optional<Frame> frame;
        bool ended = false; ///< The other end is closed: nothing will come any more.
    };

    /// Borrows the socket.
    explicit Channel(int socket) : socket_(socket), packet_(packet_bytes_max) {}

    /// Sends, or keeps what the socket has no room for (`Wait::no`; then flush() sends it once
    /// poll(2) says POLLOUT). That nobody receives is not told: receive() says it.
    /// @throws Error if the system refuses memory for it.
    void send(std::span<const std::byte> head, std::span<const Buffer> payloads, Wait wait);

    /// @return true if nothing is left.
    bool flush();

    [[nodiscard]] bool has_unsent() const { return !unsent_.empty(); }

    /// @throws Error (malformed) if what came is no frame.
    Received receive(Wait wait);

private:
    struct Packet {
        std::vector<std::byte> bytes;
        UniqueFd file;
    };

    static constexpr std::size_t packet_bytes_max = std::size_t{60} << 10;

    static Packet pack(std::span<const std::byte> head, std::span<const Buffer> payloads);
    /// @return false if the socket has no room.
    bool send_packet(const Packet& packet, Wait wait) const;

    int socket_;
    std::vector<std::byte> packet_; ///< Received last.
    std::deque<Packet> unsent_;
};

} // namespace muster::process
