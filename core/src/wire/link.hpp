#pragma once

#include <muster/base/ids.hpp>
#include <muster/base/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace muster::wire {

/// Limits of a Link; the same on every rank.
struct LinkOptions {
    std::int32_t world_size = 1;
    std::size_t packet_bytes_max = 4096;
    std::size_t frame_bytes_max = std::size_t{256} << 20;
    std::uint16_t window = 64; ///< Packets per peer that may be under way, not yet given back.
};

/// What went through a Link in one direction.
struct LinkCounters {
    std::uint64_t frames = 0;
    std::uint64_t packets = 0; ///< Those that carry frames.
    std::uint64_t credit_packets = 0;
    std::uint64_t bytes = 0; ///< Of all packets, headers included.
};

/// Turns frames (encoded messages) into packets and back, one ordered stream per pair of ranks.
///
/// Frames posted between two flushes share packets, and a frame may span packets: that is all the
/// batching there is. Credits bound what may be under way: a sender has at most `window` packets
/// with a peer that the peer has not given back, and a packet is given back once its frames have
/// been handed over. A stalled receiver so costs its senders memory of their own, and not its own.
///
/// Pure: no MPI, threads, clock or randomness. The transport must keep packets whole and in order.
/// Threading: one thread at a time.
///
/// Packet, all little-endian: u16 magic and version, u16 credits given back, u32 sequence number,
/// then the next piece of the stream; an empty piece is a credit packet, which is outside the
/// window and the sequence. Stream: u32 length, that many bytes, and so on.
class Link {
public:
    explicit Link(const LinkOptions& options);

    /// Queues a copy of `frame` for `to`. Throws Error (ErrorCode::usage) if it is larger than
    /// `frame_bytes_max`. Frames for a forgotten peer are dropped.
    void post(Rank to, std::span<const std::byte> frame);

    /// Calls `emit(Rank to, std::span<const std::byte> packet)` for every packet that credits
    /// allow, peers in the order in which they got something to send. `emit` must not call this
    /// Link.
    template <class Emit>
    void flush(Emit&& emit) {
        while (const auto packet = next_packet()) {
            emit(packet->to, packet->bytes);
        }
    }

    /// Takes a packet in and calls `on_frame(Rank from, std::span<const std::byte> frame)` for
    /// every frame that it completes. `on_frame` may call post(), flush() and forget().
    ///
    /// A malformed packet is an error, and so is every later packet of that peer.
    template <class OnFrame>
    Result<std::monostate>
    on_packet(Rank from, std::span<const std::byte> packet, OnFrame&& on_frame) {
        auto opened = open_packet(from, packet);
        if (!opened) {
            return opened.error();
        }
        std::span<const std::byte> rest = *opened;
        while (const auto frame = next_frame(from, rest)) {
            on_frame(from, *frame);
        }
        return close_packet(from, !opened->empty());
    }

    /// Drops what is queued for a lost peer and whatever is posted to it later. Packets of it that
    /// are still on their way are taken in as before.
    void forget(Rank peer);
    /// The same of all ranks.
    void forget_all();

    /// Nothing is queued: every frame posted has left in a packet, and no credits are due.
    [[nodiscard]] bool idle() const { return queued_bytes_ == 0 && active_.empty(); }

    /// Bytes of frames, lengths included, that wait for flush() or for credits.
    [[nodiscard]] std::uint64_t queued_bytes() const { return queued_bytes_; }

    /// Packets sent to `peer` that it has not given back.
    [[nodiscard]] std::uint16_t in_flight(Rank peer) const;

    [[nodiscard]] const LinkCounters& sent() const { return sent_; }

    [[nodiscard]] const LinkCounters& received() const { return received_; }

private:
    struct Peer {
        // Outgoing stream: bytes [taken, size) have not left.
        std::vector<std::byte> queue;
        std::size_t taken = 0;
        std::uint16_t in_flight = 0;
        std::uint32_t sequence_out = 0;
        bool active = false; // is in active_

        // Incoming stream: the frame that is not complete, its length included.
        std::vector<std::byte> partial;
        bool partial_given = false; // partial holds a frame that was handed over
        std::uint32_t sequence_in = 0;
        std::uint16_t owed = 0; // packets to give back

        bool forgotten = false;
        std::optional<Failure> broken;

        [[nodiscard]] std::size_t queued() const { return queue.size() - taken; }
    };

    struct OutPacket {
        Rank to{};
        std::span<const std::byte> bytes; // valid until the next call
    };

    Peer& peer(Rank rank);
    void activate(Rank rank, Peer& peer);
    [[nodiscard]] bool may_send(const Peer& peer) const;

    [[nodiscard]] bool owes(const Peer& peer) const { return peer.owed >= credits_due_; }

    std::optional<OutPacket> next_packet();
    OutPacket build_packet(Rank to, Peer& peer);

    Result<std::span<const std::byte>> open_packet(Rank from, std::span<const std::byte> packet);
    std::optional<std::span<const std::byte>> next_frame(Rank from,
                                                         std::span<const std::byte>& rest);
    Result<std::monostate> close_packet(Rank from, bool carried_frames);
    Failure break_peer(Rank from, Peer& peer, std::string why);

    LinkOptions options_;
    std::uint16_t credits_due_;
    std::vector<std::unique_ptr<Peer>> peers_; // by rank; null until there is something to keep
    bool all_forgotten_ = false;
    std::deque<Rank> active_;       // peers that flush() has something to send to
    std::vector<std::byte> packet_; // the packet being built
    std::uint64_t queued_bytes_ = 0;
    LinkCounters sent_;
    LinkCounters received_;
};

} // namespace muster::wire
