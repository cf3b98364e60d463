/// mpi_program CODE: a plain MPI program, whose last rank ends with CODE.

#include <mpi.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    int rank = 0;
    int size = 0;
    MPI_Init(&argc, &argv);
    // tidy: allow world: a program of its own
    const MPI_Comm world = MPI_COMM_WORLD;
    MPI_Comm_rank(world, &rank);
    MPI_Comm_size(world, &size);
    std::printf("rank %d of %d\n", rank, size);
    MPI_Finalize();
    return argc > 1 && rank == size - 1 ? std::atoi(argv[1]) : 0;
}
