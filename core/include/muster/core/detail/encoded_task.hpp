#pragma once

#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>
#include <muster/core/detail/key_digest.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace muster::detail {

/// A task's arguments as bytes, and the objects that stand in for some of them. There may be
/// millions: what few tasks have is beside them.
struct EncodedTask {
    Buffer arguments;
    std::vector<ObjectId> dependencies; ///< In the order in which the arguments refer to them.
};

/// The arguments' part of a task's key.
struct ArgumentsKey {
    KeyDigest digest{};         ///< Of the arguments, however each of them travels.
    bool unkeyed_input = false; ///< A dependency, or a future inside, has no key to go by.
    bool has_actors = false;    ///< Handles of actors are inside.
};

/// What is submitted at once.
struct EncodedTasks {
    std::vector<EncodedTask> tasks;
    /// Handles of actors inside the arguments, with the task's position, in order.
    std::vector<std::pair<std::uint64_t, ObjectId>> actors{};
    std::vector<ArgumentsKey> keys{}; ///< Of each, if they are keyed by their arguments.
};

} // namespace muster::detail
