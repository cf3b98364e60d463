#include "payload.hpp"

#include "failure.hpp"

#include <muster/base/random.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace muster::sim {
namespace {

constexpr std::size_t header_bytes = 3 * sizeof(std::uint64_t); // object, futures, actors

std::byte filling(ObjectId object) {
    return static_cast<std::byte>(mix64(static_cast<std::uint64_t>(object)));
}

} // namespace

Buffer make_payload(ObjectId object,
                    std::span<const ObjectId> futures,
                    std::span<const ObjectId> actors,
                    std::size_t size) {
    if (size == 0 && futures.empty() && actors.empty()) {
        return {};
    }
    const std::size_t used = header_bytes + futures.size_bytes() + actors.size_bytes();
    std::vector<std::byte> bytes(std::max(size, used), filling(object));
    const std::array<std::uint64_t, 3> header{
        static_cast<std::uint64_t>(object), futures.size(), actors.size()};
    std::memcpy(bytes.data(), header.data(), header_bytes);
    std::byte* const content = bytes.data() + header_bytes;
    if (!futures.empty()) {
        std::memcpy(content, futures.data(), futures.size_bytes());
    }
    if (!actors.empty()) {
        std::memcpy(content + futures.size_bytes(), actors.data(), actors.size_bytes());
    }
    return Buffer::copy_of(bytes);
}

Payload read_payload(ObjectId object, std::span<const std::byte> bytes) {
    Payload payload{object, {}, {}};
    if (bytes.empty()) {
        return payload;
    }
    require(bytes.size() >= header_bytes, "a payload is too short");
    std::array<std::uint64_t, 3> header{};
    std::memcpy(header.data(), bytes.data(), header_bytes);
    payload.object = ObjectId{header[0]};
    require(payload.object == object,
            "the bytes of " + to_string(payload.object) + " came as those of " + to_string(object));
    const std::size_t most = (bytes.size() - header_bytes) / sizeof(ObjectId);
    require(header[1] <= most && header[2] <= most - header[1], "a payload is too short");
    payload.futures.resize(header[1]);
    payload.actors.resize(header[2]);
    const std::byte* const content = bytes.data() + header_bytes;
    const std::size_t futures_bytes = header[1] * sizeof(ObjectId);
    const std::size_t actors_bytes = header[2] * sizeof(ObjectId);
    if (futures_bytes > 0) {
        std::memcpy(payload.futures.data(), content, futures_bytes);
    }
    if (actors_bytes > 0) {
        std::memcpy(payload.actors.data(), content + futures_bytes, actors_bytes);
    }
    const std::size_t used = header_bytes + futures_bytes + actors_bytes;
    require(std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(used),
                        bytes.end(),
                        [&](std::byte b) { return b == filling(object); }),
            "the bytes of " + to_string(object) + " arrived changed");
    return payload;
}

} // namespace muster::sim
