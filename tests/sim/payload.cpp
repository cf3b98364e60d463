#include "payload.hpp"

#include "failure.hpp"

#include <muster/base/random.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace muster::sim {
namespace {

constexpr std::size_t header_bytes = 2 * sizeof(std::uint64_t); // object, number of futures

std::byte filling(ObjectId object) {
    return static_cast<std::byte>(mix64(static_cast<std::uint64_t>(object)));
}

} // namespace

Buffer make_payload(ObjectId object, std::span<const ObjectId> futures, std::size_t size) {
    if (size == 0 && futures.empty()) {
        return {};
    }
    const std::size_t used = header_bytes + futures.size_bytes();
    std::vector<std::byte> bytes(std::max(size, used), filling(object));
    const std::uint64_t count = futures.size();
    std::memcpy(bytes.data(), &object, sizeof object);
    std::memcpy(bytes.data() + sizeof object, &count, sizeof count);
    if (count > 0) {
        std::memcpy(bytes.data() + header_bytes, futures.data(), futures.size_bytes());
    }
    return Buffer::copy_of(bytes);
}

Payload read_payload(ObjectId object, std::span<const std::byte> bytes) {
    Payload payload{object, {}};
    if (bytes.empty()) {
        return payload;
    }
    require(bytes.size() >= header_bytes, "a payload is too short");
    std::uint64_t count = 0;
    std::memcpy(&payload.object, bytes.data(), sizeof payload.object);
    std::memcpy(&count, bytes.data() + sizeof payload.object, sizeof count);
    require(payload.object == object,
            "the bytes of " + to_string(payload.object) + " came as those of " + to_string(object));
    require(count <= (bytes.size() - header_bytes) / sizeof(ObjectId), "a payload is too short");
    payload.futures.resize(count);
    const std::size_t used = header_bytes + count * sizeof(ObjectId);
    if (count > 0) {
        std::memcpy(payload.futures.data(), bytes.data() + header_bytes, used - header_bytes);
    }
    require(std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(used),
                        bytes.end(),
                        [&](std::byte b) { return b == filling(object); }),
            "the bytes of " + to_string(object) + " arrived changed");
    return payload;
}

} // namespace muster::sim
