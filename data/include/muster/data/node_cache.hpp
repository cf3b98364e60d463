#pragma once

#include <muster/data/table.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace muster::data {

/// What processes have the same of if they can open each other's memory: node and process
/// namespace.
[[nodiscard]] std::array<std::uint64_t, 2> node_identity();

/// A number that no other call returns.
[[nodiscard]] std::uint64_t fresh_nonce();

/// The table with its decoded chunks in memory that the members of `ranks` share, node by node:
/// what one has read and decoded the others find. TableOptions::memory_bytes_max then is for a
/// node; it is reserved at once by the node's first member. Nothing of it has a name in a file
/// system, and it is gone with the last process.
///
/// Collective: all members call it, with tables of the same files and options.
/// @param ranks  A muster::Communicator, or anything with its rank(), size() and all_gather().
template <class Communicator>
[[nodiscard]] Table share_on_node(const Table& table, Communicator& ranks) {
    const auto size = static_cast<std::size_t>(ranks.size());
    const auto rank = static_cast<std::size_t>(ranks.rank());
    const std::array<std::uint64_t, 2> node = node_identity();
    std::vector<std::uint64_t> nodes(2 * size);
    ranks.all_gather(std::span<const std::uint64_t>(node), std::span(nodes));
    std::size_t first = size; // of this node
    std::uint32_t member = 0; // among its ranks
    for (std::size_t other = 0; other < size; ++other) {
        if (nodes[2 * other] == node[0] && nodes[2 * other + 1] == node[1]) {
            first = first == size ? other : first;
            member += other < rank ? 1 : 0;
        }
    }
    // The first makes it, the others open it; the last collective keeps it open until they have.
    const Table own = member == 0 ? table.share_chunks(fresh_nonce()) : table;
    const SharedChunks place = member == 0 ? own.shared_chunks() : SharedChunks{};
    const std::array<std::int64_t, 3> told{
        place.process, place.descriptor, static_cast<std::int64_t>(place.nonce)};
    std::vector<std::int64_t> places(3 * size);
    ranks.all_gather(std::span<const std::int64_t>(told), std::span(places));
    const Table shared =
        member == 0 ? own
                    : table.with_chunks_of({places[3 * first],
                                            places[3 * first + 1],
                                            static_cast<std::uint64_t>(places[3 * first + 2])},
                                           member);
    const std::array<std::uint64_t, 1> done{member};
    std::vector<std::uint64_t> all_done(size);
    ranks.all_gather(std::span<const std::uint64_t>(done), std::span(all_done));
    return shared;
}

} // namespace muster::data
