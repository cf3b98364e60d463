#pragma once

#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>

#include <span>
#include <vector>

namespace muster::sim {

/// The bytes of simulated arguments and values: whose they are, the futures and actors inside, and
/// a filling that shows whether they arrived as they were sent.
struct Payload {
    ObjectId object{};
    std::vector<ObjectId> futures;
    std::vector<ObjectId> actors{};
};

/// At least `size` bytes, more if what is inside needs it; none if `size` is 0 and nothing is.
[[nodiscard]] Buffer make_payload(ObjectId object,
                                  std::span<const ObjectId> futures,
                                  std::span<const ObjectId> actors,
                                  std::size_t size);

/// Reads a payload of `object`; throws SimFailure if the bytes are not what make_payload wrote.
[[nodiscard]] Payload read_payload(ObjectId object, std::span<const std::byte> bytes);

} // namespace muster::sim
