#pragma once

#include "gang/channel.hpp"
#include "gang/combine.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace muster::gang {

/// The collectives, as Communicator::Call numbers them, and the one at the end of a gang function.
enum class Kind : std::uint8_t {
    barrier,
    broadcast,
    reduce,
    all_reduce,
    reduce_scatter,
    all_gather,
    all_to_all,
    returned, ///< The member's function has returned; its result is gathered.
};

[[nodiscard]] const char* name_of(Kind kind);

/// What must be the same on all members that meet in a collective. Travels as it is: all members
/// run the same program.
struct Descriptor {
    std::uint64_t sequence = 0; ///< Collectives of this communicator before it.
    std::uint64_t bytes = 0;    ///< Of one member's data; of one part, where there are parts.
    std::int32_t root = 0;
    Kind kind = Kind::barrier;
    ElementType type = ElementType::u8;
    ReduceOp op = ReduceOp::sum;
    std::uint8_t reserved = 0;

    friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

/// Two members whose calls differ.
struct Mismatch {
    std::int32_t first = -1; ///< -1: there is none.
    std::int32_t second = -1;
    Descriptor first_call;
    Descriptor second_call;

    explicit operator bool() const { return first >= 0; }
};

/// "member 1 (rank 3) called all_reduce (sum) of 10 float at collective 5, member 0 ..."
[[nodiscard]] std::string describe(const Mismatch& mismatch, std::span<const Member> members);

/// "member 1 (rank 3)"
[[nodiscard]] std::string describe(int member, std::span<const Member> members);

} // namespace muster::gang
