#pragma once

#include <muster/base/ids.hpp>

#include <mpi.h>

#include <map>
#include <span>
#include <vector>

namespace muster::transport {

/// MPI communicators for user code, one per list of ranks, made when first asked for.
///
/// Making one is collective over its ranks. Callers see to it that a rank takes part in one at a
/// time: two made in different orders on two ranks would wait for each other.
class RawCommunicators {
public:
    /// Collective over `world`.
    void open(MPI_Comm world);

    /// The communicator of these ranks, in their order; stays in place until close(). Collective
    /// over them; blocks.
    [[nodiscard]] const MPI_Comm* get(std::span<const Rank> ranks);

    /// Collective over the world: every rank, once nobody uses them.
    void close();

private:
    MPI_Comm parent_ = MPI_COMM_NULL;
    std::map<std::vector<int>, MPI_Comm> made_; // by ranks in the world
};

} // namespace muster::transport
