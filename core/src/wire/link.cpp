#include "wire/link.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace muster::wire {

namespace {

static_assert(std::endian::native == std::endian::little, "packets are little-endian");

constexpr std::uint16_t magic = 0x4d01; // 'M', version 1

struct Header {
    std::uint16_t magic = 0;
    std::uint16_t credits = 0;
    std::uint32_t sequence = 0;
};

static_assert(sizeof(Header) == 8);

using FrameLength = std::uint32_t;

// An emptied queue or partial frame larger than this gives its memory back.
constexpr std::size_t kept_bytes_max = std::size_t{1} << 20;

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

void empty_out(std::vector<std::byte>& bytes) {
    bytes.clear();
    if (bytes.capacity() > kept_bytes_max) {
        bytes.shrink_to_fit();
    }
}

FrameLength read_length(std::span<const std::byte> bytes) {
    FrameLength length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    return length;
}

} // namespace

Link::Link(const LinkOptions& options)
    : options_(options), credits_due_(std::max<std::uint16_t>(1, options.window / 2)),
      peers_(static_cast<std::size_t>(options.world_size)), packet_(options.packet_bytes_max) {
    MUSTER_ASSERT(options.world_size >= 1 && options.world_size <= world_size_max);
    MUSTER_ASSERT(options.packet_bytes_max > sizeof(Header));
    MUSTER_ASSERT(options.frame_bytes_max <= UINT32_MAX);
    MUSTER_ASSERT(options.window >= 1);
}

Link::Peer& Link::peer(Rank rank) {
    MUSTER_ASSERT(index(rank) >= 0 && index(rank) < options_.world_size);
    auto& slot = peers_[static_cast<std::size_t>(index(rank))];
    if (!slot) {
        slot = std::make_unique<Peer>();
        slot->forgotten = all_forgotten_;
    }
    return *slot;
}

std::uint16_t Link::in_flight(Rank rank) const {
    MUSTER_ASSERT(index(rank) >= 0 && index(rank) < options_.world_size);
    const auto& slot = peers_[static_cast<std::size_t>(index(rank))];
    return slot ? slot->in_flight : std::uint16_t{0};
}

bool Link::may_send(const Peer& peer) const {
    return peer.queued() > 0 && peer.in_flight < options_.window;
}

void Link::activate(Rank rank, Peer& peer) {
    if (!peer.active && (may_send(peer) || owes(peer))) {
        peer.active = true;
        active_.push_back(rank);
    }
}

void Link::post(Rank to, std::span<const std::byte> frame) {
    if (frame.size() > options_.frame_bytes_max) {
        throw Error(fmt::format("a message of {} bytes for rank {} is over the limit of {} bytes: "
                                "send large values as objects",
                                frame.size(),
                                index(to),
                                options_.frame_bytes_max),
                    ErrorCode::usage);
    }
    Peer& other = peer(to);
    if (other.forgotten) {
        return;
    }
    const auto length = static_cast<FrameLength>(frame.size());
    append(other.queue, std::as_bytes(std::span(&length, 1)));
    append(other.queue, frame);
    queued_bytes_ += sizeof length + frame.size();
    ++sent_.frames;
    activate(to, other);
}

std::optional<Link::OutPacket> Link::next_packet() {
    while (!active_.empty()) {
        const Rank to = active_.front();
        Peer& other = peer(to);
        if (may_send(other) || owes(other)) {
            return build_packet(to, other);
        }
        other.active = false;
        active_.pop_front();
    }
    return std::nullopt;
}

Link::OutPacket Link::build_packet(Rank to, Peer& peer) {
    Header header{.magic = magic, .credits = peer.owed, .sequence = peer.sequence_out};
    peer.owed = 0;
    std::size_t bytes = 0;
    if (may_send(peer)) {
        bytes = std::min(peer.queued(), packet_.size() - sizeof header);
        std::memcpy(packet_.data() + sizeof header, peer.queue.data() + peer.taken, bytes);
        peer.taken += bytes;
        queued_bytes_ -= bytes;
        ++peer.in_flight;
        ++peer.sequence_out;
        ++sent_.packets;
        if (peer.queued() == 0) {
            empty_out(peer.queue);
            peer.taken = 0;
        } else if (peer.taken >= kept_bytes_max && peer.taken >= peer.queue.size() / 2) {
            // At least as much has left as must be moved, so each byte is moved once on average.
            peer.queue.erase(peer.queue.begin(),
                             peer.queue.begin() + static_cast<std::ptrdiff_t>(peer.taken));
            peer.taken = 0;
        }
    } else {
        ++sent_.credit_packets;
    }
    std::memcpy(packet_.data(), &header, sizeof header);
    sent_.bytes += sizeof header + bytes;
    return {.to = to, .bytes = std::span(packet_).first(sizeof header + bytes)};
}

Failure Link::break_peer(Rank from, Peer& peer, std::string why) {
    peer.broken =
        Failure{ErrorCode::malformed, fmt::format("packet from rank {}: {}", index(from), why)};
    return *peer.broken;
}

Result<std::span<const std::byte>> Link::open_packet(Rank from, std::span<const std::byte> packet) {
    if (index(from) < 0 || index(from) >= options_.world_size) {
        return Failure{ErrorCode::malformed,
                       fmt::format("packet from rank {}, of a world of {} ranks",
                                   index(from),
                                   options_.world_size)};
    }
    Peer& other = peer(from);
    if (other.broken) {
        return *other.broken;
    }
    Header header;
    if (packet.size() < sizeof header || packet.size() > options_.packet_bytes_max) {
        return break_peer(from, other, fmt::format("{} bytes long", packet.size()));
    }
    std::memcpy(&header, packet.data(), sizeof header);
    if (header.magic != magic) {
        return break_peer(
            from, other, fmt::format("starts with {:#06x}, not {:#06x}", header.magic, magic));
    }
    if (header.credits > other.in_flight) {
        return break_peer(
            from,
            other,
            fmt::format("gives back {} packets of {} sent", header.credits, other.in_flight));
    }
    if (header.sequence != other.sequence_in) {
        return break_peer(
            from,
            other,
            fmt::format("number {} where {} was due", header.sequence, other.sequence_in));
    }
    const auto stream = packet.subspan(sizeof header);
    if (!stream.empty() && other.owed == options_.window) {
        return break_peer(from, other, "beyond the window");
    }
    other.in_flight = static_cast<std::uint16_t>(other.in_flight - header.credits);
    received_.bytes += packet.size();
    if (stream.empty()) {
        ++received_.credit_packets;
    } else {
        ++received_.packets;
        ++other.sequence_in;
    }
    activate(from, other);
    return stream;
}

std::optional<std::span<const std::byte>> Link::next_frame(Rank from,
                                                           std::span<const std::byte>& rest) {
    Peer& other = peer(from);
    if (other.partial_given) {
        other.partial_given = false;
        empty_out(other.partial);
    }
    if (rest.empty()) {
        return std::nullopt;
    }

    // A frame that lies in this packet whole is handed over where it is.
    if (other.partial.empty() && rest.size() >= sizeof(FrameLength)) {
        const std::size_t length = read_length(rest);
        if (length <= rest.size() - sizeof(FrameLength)) {
            const auto frame = rest.subspan(sizeof(FrameLength), length);
            rest = rest.subspan(sizeof(FrameLength) + length);
            ++received_.frames;
            return frame;
        }
    }

    const auto take = [&](std::size_t bytes_wanted) {
        const std::size_t missing = bytes_wanted - other.partial.size();
        const std::size_t bytes = std::min(missing, rest.size());
        append(other.partial, rest.first(bytes));
        rest = rest.subspan(bytes);
        return other.partial.size() == bytes_wanted;
    };
    if (other.partial.size() < sizeof(FrameLength) && !take(sizeof(FrameLength))) {
        return std::nullopt;
    }
    const std::size_t length = read_length(other.partial);
    if (length > options_.frame_bytes_max) {
        break_peer(from, other, fmt::format("announces a message of {} bytes", length));
        return std::nullopt;
    }
    if (!take(sizeof(FrameLength) + length)) {
        return std::nullopt;
    }
    ++received_.frames;
    other.partial_given = true;
    return std::span<const std::byte>(other.partial).subspan(sizeof(FrameLength));
}

Result<std::monostate> Link::close_packet(Rank from, bool carried_frames) {
    Peer& other = peer(from);
    if (other.broken) {
        return *other.broken;
    }
    if (carried_frames && !other.forgotten) {
        ++other.owed;
        activate(from, other);
    }
    return std::monostate{};
}

void Link::forget(Rank rank) {
    Peer& other = peer(rank);
    queued_bytes_ -= other.queued();
    other.queue = {};
    other.taken = 0;
    other.owed = 0;
    other.forgotten = true;
}

void Link::forget_all() {
    all_forgotten_ = true;
    for (std::int32_t i = 0; i < options_.world_size; ++i) {
        if (peers_[static_cast<std::size_t>(i)]) {
            forget(Rank{i});
        }
    }
}

} // namespace muster::wire
