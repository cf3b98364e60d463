#include <muster/core/mpi.hpp>

namespace muster {

MPI_Comm mpi_communicator(Communicator& communicator) {
    return *static_cast<const MPI_Comm*>(communicator.raw_communicator());
}

} // namespace muster
