#pragma once

#include <cstdint>

namespace muster::wire {

/// Where bytes lie in a rank's shared memory: enough for another process of its machine to read
/// them there.
struct SharedPlace {
    std::int32_t process = 0;      ///< Whose descriptor it is.
    std::int32_t fd = -1;          ///< Of the whole arena.
    std::uint64_t nonce = 0;       ///< What the arena begins with, if it is the one meant.
    std::uint64_t arena_bytes = 0; ///< The arena's length.
    std::uint64_t offset = 0;      ///< In the arena, of the first byte.
    std::uint64_t size = 0;        ///< In bytes.

    friend bool operator==(const SharedPlace&, const SharedPlace&) = default;
};

} // namespace muster::wire
