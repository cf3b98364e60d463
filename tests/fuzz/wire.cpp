// Packets from a hostile rank: through the link, and every frame that comes out of it as a message.

#include "allocations.hpp"
#include "wire/codec.hpp"
#include "wire/link.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>

namespace {

using namespace muster;

// A message's elements are at most so much larger in memory than encoded, vectors' growth included.
constexpr std::size_t factor = 64;

void take_message(std::span<const std::byte> frame) {
    const fuzz::Allocations allocations;
    if (const auto envelope = wire::decode_envelope(frame)) {
        // What decodes is encoded again, and decodes to the same.
        Writer writer;
        wire::encode_envelope(writer, envelope->term, envelope->message);
        const auto again = wire::decode_envelope(writer.bytes());
        Writer second;
        wire::encode_envelope(second, again->term, again->message);
        if (!std::ranges::equal(writer.bytes(), second.bytes())) {
            std::abort();
        }
    }
    allocations.expect_at_most(factor, frame.size());
}

/// Cuts the input into packets: a length before each, one byte, in units of 16 bytes. The header's
/// magic and sequence number are put right in half of them, which chance would seldom do.
void take_packets(std::span<const std::byte> bytes) {
    wire::Link link({.world_size = 2, .packet_bytes_max = 4096, .frame_bytes_max = 1 << 20});
    std::uint32_t sequence = 0;
    std::vector<std::byte> packet;
    while (!bytes.empty()) {
        const auto control = std::to_integer<std::size_t>(bytes.front());
        bytes = bytes.subspan(1);
        const std::size_t size = std::min(bytes.size(), (control / 2) * 16);
        packet.clear();
        if (control % 2 == 1) {
            const std::uint16_t magic_and_credits[2] = {0x4d01, 0};
            const auto head = std::as_bytes(std::span(magic_and_credits));
            packet.insert(packet.end(), head.begin(), head.end());
            const auto number = std::as_bytes(std::span(&sequence, 1));
            packet.insert(packet.end(), number.begin(), number.end());
            sequence += size > 0 ? 1 : 0;
        }
        packet.insert(
            packet.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        bytes = bytes.subspan(size);
        const auto taken = link.on_packet(
            Rank{1}, packet, [](Rank, std::span<const std::byte> frame) { take_message(frame); });
        if (!taken) {
            return; // the rank gives up on such a peer
        }
        link.flush([](Rank, std::span<const std::byte>) {}); // credits
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    take_message(bytes);
    take_packets(bytes);
    return 0;
}
