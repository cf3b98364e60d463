// A rank whose MPI does not come back any more: its watchdog ends it, and the others go on.
//
// MPI's profiling interface lets a program put functions of its own before MPI's.

#include <muster/core/muster.hpp>

#include <mpi.h>

#include <atomic>
#include <iostream>

namespace {

std::atomic<bool> stuck{false};

// Where it runs first, MPI stops; elsewhere it answers.
int stop_mpi_once() {
    if (muster::this_task().attempt == 1) {
        stuck = true;
    }
    return 42;
}

} // namespace

extern "C" int MPI_Test(MPI_Request* request, int* flag, MPI_Status* status) {
    stuck.wait(true);
    return PMPI_Test(request, flag, status);
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        std::cout << "survives: " << muster::cluster().survives_lost_ranks.value_or(false) << '\n';
        std::cout << "answer " << muster::task<&stop_mpi_once>().get() << std::endl;
    });
}
