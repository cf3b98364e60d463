#pragma once

#include <cstdint>

/// Who uses which tags of a gang's channel. The lower 56 bits are each user's own.
namespace muster::wire {

/// Tells messages of one pair apart; those of one pair and tag keep their order.
using Tag = std::uint64_t;

/// Communicator::send and receive: the user's tag, which is not negative.
inline constexpr Tag tag_of_users = Tag{1} << 56;

[[nodiscard]] inline bool is_of_users(Tag tag) {
    return tag >> 56 == tag_of_users >> 56;
}

/// Collectives by messages: the sequence number and a step.
inline constexpr Tag tag_of_collectives = Tag{2} << 56;
/// Making the shared memory of a node's members.
inline constexpr Tag tag_of_segments = Tag{3} << 56;

} // namespace muster::wire
