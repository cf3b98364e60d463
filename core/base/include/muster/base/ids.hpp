#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace muster {

/// Index of a process in the world, in [0, world_size).
enum class Rank : std::int32_t {};

/// Index of a machine in the world, in [0, node count); ranks that share memory share a node.
enum class NodeId : std::int32_t {};

/// Reign of one coordinator. Counts up from 1; 0 means "no coordinator yet".
enum class Term : std::uint32_t {};

/// A task function: its position in the table every rank sorts at start.
enum class FunctionId : std::uint32_t {};

/// An immutable value in the store, and also the task that makes it: a task is named by its result.
///
/// Layout: the owner's rank in the upper 20 bits, the owner's own sequence number below. Unique
/// within a run, never reused; the tasks of one map() are consecutive.
enum class ObjectId : std::uint64_t {};
using TaskId = ObjectId;

/// A batch of tasks handed to one rank; names an attempt of each task in it.
///
/// Layout: the coordinator's term in the upper 20 bits, a sequence number below, so a lease of an
/// older term is told apart from the current ones by the id alone.
enum class LeaseId : std::uint64_t {};

inline constexpr unsigned sequence_bits = 44;
inline constexpr std::uint64_t sequence_mask = (std::uint64_t{1} << sequence_bits) - 1;
inline constexpr std::int32_t world_size_max = 1 << 20;

constexpr std::int32_t index(Rank rank) {
    return static_cast<std::int32_t>(rank);
}

constexpr std::int32_t index(NodeId node) {
    return static_cast<std::int32_t>(node);
}

constexpr std::uint32_t number(Term term) {
    return static_cast<std::uint32_t>(term);
}

constexpr ObjectId make_object_id(Rank owner, std::uint64_t sequence) {
    return ObjectId{(static_cast<std::uint64_t>(index(owner)) << sequence_bits) |
                    (sequence & sequence_mask)};
}

constexpr Rank owner_of(ObjectId id) {
    return Rank{static_cast<std::int32_t>(static_cast<std::uint64_t>(id) >> sequence_bits)};
}

constexpr std::uint64_t sequence_of(ObjectId id) {
    return static_cast<std::uint64_t>(id) & sequence_mask;
}

/// The id `offset` places after `first`: the tasks of a map are numbered one after another.
constexpr ObjectId advance(ObjectId first, std::uint64_t offset) {
    return ObjectId{static_cast<std::uint64_t>(first) + offset};
}

constexpr std::uint64_t distance(ObjectId first, ObjectId last) {
    return static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
}

constexpr LeaseId make_lease_id(Term term, std::uint64_t sequence) {
    return LeaseId{(static_cast<std::uint64_t>(number(term)) << sequence_bits) |
                   (sequence & sequence_mask)};
}

/// The members of a gang have consecutive leases.
constexpr LeaseId advance(LeaseId first, std::uint64_t offset) {
    return LeaseId{static_cast<std::uint64_t>(first) + offset};
}

constexpr Term term_of(LeaseId id) {
    return Term{static_cast<std::uint32_t>(static_cast<std::uint64_t>(id) >> sequence_bits)};
}

/// "rank 3", "node 1", "task 0:17" (owner:sequence), "lease 1:5" (term:sequence): as logs say it.
std::string to_string(Rank rank);
std::string to_string(NodeId node);
std::string to_string(ObjectId id);
std::string to_string(LeaseId id);

} // namespace muster
