#pragma once

namespace muster::transport {

/// Sets the environment variables through which Open MPI takes its parameters, where the user has
/// not: to be called before MPI is initialised, while the process has one thread. Other MPIs do not
/// look at them.
void prepare_mpi_environment();

} // namespace muster::transport
