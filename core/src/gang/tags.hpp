#pragma once

#include "gang/channel.hpp"

#include <cstdint>

/// Who uses which tags of a gang's channel. The lower 56 bits are each user's own.
namespace muster::gang {

/// Communicator::send and receive: the user's tag, which is not negative.
inline constexpr Tag tag_of_users = Tag{1} << 56;
/// Collectives by messages: the sequence number and a step.
inline constexpr Tag tag_of_collectives = Tag{2} << 56;
/// Making the shared memory of a node's members.
inline constexpr Tag tag_of_segments = Tag{3} << 56;

} // namespace muster::gang
