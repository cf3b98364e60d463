#include "transport/raw_communicators.hpp"

#include "transport/mpi_call.hpp"

namespace muster::transport {

void RawCommunicators::open(MPI_Comm world) {
    parent_ = duplicate(world);
}

const MPI_Comm* RawCommunicators::get(std::span<const Rank> members) {
    std::vector<int> ranks;
    for (const Rank rank : members) {
        ranks.push_back(index(rank));
    }
    const auto [place, is_new] = made_.try_emplace(ranks, MPI_COMM_NULL);
    if (is_new) {
        MPI_Group world = MPI_GROUP_NULL;
        MPI_Group group = MPI_GROUP_NULL;
        check(MPI_Comm_group(parent_, &world), "MPI_Comm_group");
        check(MPI_Group_incl(world, to_count(ranks.size()), ranks.data(), &group),
              "MPI_Group_incl");
        check(MPI_Comm_create_group(parent_, group, 0, &place->second), "MPI_Comm_create_group");
        check(MPI_Group_free(&group), "MPI_Group_free");
        check(MPI_Group_free(&world), "MPI_Group_free");
        // Errors are fatal, as MPI's users expect, unless they say otherwise.
        check(MPI_Comm_set_errhandler(place->second, MPI_ERRORS_ARE_FATAL),
              "MPI_Comm_set_errhandler");
    }
    return &place->second;
}

void RawCommunicators::close() {
    // In the same order on all ranks: a communicator is freed by its ranks together.
    for (auto& [ranks, comm] : made_) {
        check(MPI_Comm_free(&comm), "MPI_Comm_free");
    }
    made_.clear();
    check(MPI_Comm_free(&parent_), "MPI_Comm_free");
}

} // namespace muster::transport
