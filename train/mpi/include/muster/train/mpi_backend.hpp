#pragma once

#include <muster/train/backend.hpp>

#include <memory>

namespace muster::train {

/// MPI's own collectives, for a network whose MPI knows it best. Non-blocking, begun in the order
/// of the calls and driven on by a thread of the back end's, which runs them one after another.
/// Sums of 16-bit floats, which MPI does not know, are added here: see make_communicator_backend().
///
/// Collective: every member of a gang run with `.raw_mpi = true`. Works on a duplicate of the
/// gang's MPI communicator, so that calls on that one, or on `communicator`, do not meet its own;
/// it must be destroyed, by all members, before the gang ends.
///
/// MPI cannot abandon a collective: a member that leaves with an exception lets its own be, and
/// members that wait for it wait until the job ends. The order of additions is MPI's.
///
/// @throws Error (usage) if the gang did not ask for MPI; Error (failed) with MPI's text.
[[nodiscard]] std::unique_ptr<Backend> make_mpi_backend(Communicator& communicator);

} // namespace muster::train
