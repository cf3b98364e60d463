#pragma once

#include <muster/core/communicator.hpp>

#include <mpi.h>

/// For code that calls MPI itself: solvers, parallel HDF5. A target of its own, muster::mpi, since
/// nothing else of Muster shows MPI to its users.
namespace muster {

/// The gang's members as an MPI communicator: member r of the gang is its rank r.
///
/// The gang must have been run with `.raw_mpi = true`. Collective over the gang: every member calls
/// it, before its first MPI call. It belongs to the runtime, which keeps it for the next gang on
/// the same ranks: do not free it, and leave no message in it; what must last longer, MPI_Comm_dup
/// it. Its errors are fatal, as MPI's default is. MPI calls cannot be abandoned: members that wait
/// in MPI for one that failed wait until the job ends.
///
/// @throws Error (usage) if the gang did not ask for it; Error (aborted) if a member has failed.
/// Threads: the member's own; MPI runs with MPI_THREAD_MULTIPLE.
MPI_Comm mpi_communicator(Communicator& communicator);

} // namespace muster
