#pragma once

#include "run/rendezvous.hpp"
#include "run/sockets.hpp"

namespace muster::launcher::run {

/// Under `srun --mpi=pmi2`, lets the first supervisor tell the others where it listens and a secret
/// that nobody else hears, through Slurm's own server: `rendezvous` then has both. Elsewhere it
/// stays as it is.
///
/// Collective: every task of the step. Before run_guarded(): the connection is this process's.
///
/// @return what the first listens with; nothing for the others.
[[nodiscard]] Listener meet_by_pmi2(const slurm::Environment& environment, Rendezvous& rendezvous);

} // namespace muster::launcher::run
