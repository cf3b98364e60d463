// A plain MPI program, compiled by a test with another MPI's compiler: each rank's number goes once
// around, over the nodes' network and within them.

#include <mpi.h>

#include <cstdio>

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0;
    int size = 0;
    int length = 0;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    int token = rank;
    for (int step = 0; step < size; ++step) {
        MPI_Sendrecv_replace(&token,
                             1,
                             MPI_INT,
                             (rank + 1) % size,
                             0,
                             (rank + size - 1) % size,
                             0,
                             MPI_COMM_WORLD,
                             MPI_STATUS_IGNORE);
    }
    std::printf("%d of %d on %s: %s\n", rank, size, host, token == rank ? "came around" : "lost");
    MPI_Finalize();
    return 0;
}
