// A gang that calls MPI and loses a member: it costs its ranks, and the others go on.

#include <muster/core/mpi.hpp>
#include <muster/core/muster.hpp>

#include <csignal>
#include <iostream>

namespace {

int meet(muster::Communicator& ranks) {
    MPI_Comm communicator = muster::mpi_communicator(ranks);
    MPI_Barrier(communicator);
    if (ranks.rank() == 1) {
        std::raise(SIGKILL);
    }
    MPI_Barrier(communicator); // from which nobody comes back
    return ranks.rank();
}

int add(int a, int b) {
    return a + b;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        try {
            muster::task<&meet>.with({.ranks = 3, .raw_mpi = true, .retries = 0})().get();
        } catch (const muster::TaskError& error) {
            std::cout << "failed: " << error.what() << std::endl;
        }
        std::cout << "sum " << muster::task<&add>(40, 2).get() << std::endl;
    });
}
