#pragma once

#include "gang/channel.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

namespace muster::gang {

class Segment;

/// What one member's communicator is made from.
struct Setup {
    std::uint64_t id = 0; ///< Of the gang, the same on all members.
    int self = 0;
    std::vector<Member> members;
    std::shared_ptr<Channel> channel;
    /// Members of one node meet in shared memory; false: in messages. The same on all members.
    bool shared_memory = true;
    /// Asked: what this member waits for throws Error (cancelled).
    std::stop_token stop{};

    /// An MPI_Comm of the members, behind a pointer; collective. None if the gang did not ask for
    /// it.
    std::function<const void*()> raw_communicator{};

    /// Memory that all members share already, as threads of one process may. None: it is made.
    std::shared_ptr<Segment> segment{};
    /// Bytes of a piece of a large collective, by messages or in shared memory. 0: as measured
    /// best. The same on all members.
    std::uint64_t piece_bytes = 0;
};

} // namespace muster::gang
