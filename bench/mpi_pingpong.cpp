// The floor under every latency between ranks: MPI messages of 8 bytes going to and fro between
// rank 0 and the last rank, the others idle in between, as the runtime's packets travel.

#include "process_usage.hpp"
#include "report.hpp"

#include <mpi.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr int tag = 1;

// Polls as a progress loop does: a blocking MPI_Recv would be faster on some transports, but is
// not what a runtime can use.
void receive(int from) {
    std::array<char, 8> message{};
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Irecv(message.data(), 8, MPI_BYTE, from, tag, MPI_COMM_WORLD, &request);
    for (int done = 0; done == 0;) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    }
}

void send(int to) {
    const std::array<char, 8> message{};
    MPI_Send(message.data(), 8, MPI_BYTE, to, tag, MPI_COMM_WORLD);
}

/// What a rank costs that only started MPI: the largest of any rank, and the sum of all.
void add_memory(int rank, bench::Report& report) {
    const bench::ProcessUsage usage = bench::process_usage();
    double private_mib = 0;
    double pss_mib = 0;
    MPI_Reduce(&usage.private_mib, &private_mib, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    MPI_Reduce(&usage.pss_mib, &pss_mib, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        report.add("mpi.memory.private", "MiB", private_mib);
        report.add("mpi.memory.pss", "MiB", pss_mib);
    }
}

/// 100 MiB from rank 0 to the last rank, which answers with a byte.
void measure_bandwidth(int rank, int last, bool quick, bench::Report& report) {
    const int size = quick ? 1 << 20 : 100 << 20;
    std::vector<char> data(static_cast<std::size_t>(size), 1);
    char answer = 0;
    for (int i = -2; i < (quick ? 1 : 10); ++i) {
        const auto begin = std::chrono::steady_clock::now();
        if (rank == 0) {
            MPI_Send(data.data(), size, MPI_BYTE, last, tag, MPI_COMM_WORLD);
            MPI_Recv(&answer, 1, MPI_BYTE, last, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
            if (i >= 0) {
                report.add("mpi.bandwidth", "GB/s", size / time.count() / 1e9);
            }
        } else if (rank == last) {
            MPI_Recv(data.data(), size, MPI_BYTE, 0, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(&answer, 1, MPI_BYTE, 0, tag, MPI_COMM_WORLD);
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int repetitions = quick ? 1 : 5;
    const int rounds = quick ? 100 : 10'000;
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size < 2) {
        std::fputs("mpi_pingpong needs two ranks: mpirun -n 2\n", stderr);
        MPI_Finalize();
        return 2;
    }
    bench::Report report;
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> version{};
    int length = 0;
    MPI_Get_library_version(version.data(), &length);
    report.describe("mpi", std::string(version.data(), std::strcspn(version.data(), ",\n")));

    for (int repetition = 0; repetition < repetitions; ++repetition) {
        MPI_Barrier(MPI_COMM_WORLD);
        std::vector<double> microseconds;
        for (int round = -rounds / 10; round < rounds; ++round) { // the first ones warm up
            if (rank == 0) {
                const auto begin = std::chrono::steady_clock::now();
                send(size - 1);
                receive(size - 1);
                const std::chrono::duration<double, std::micro> time =
                    std::chrono::steady_clock::now() - begin;
                if (round >= 0) {
                    microseconds.push_back(time.count());
                }
            } else if (rank == size - 1) {
                receive(0);
                send(0);
            }
        }
        if (rank == 0) {
            report.add("mpi.round_trip.median", "us", bench::quantile(microseconds, 0.5));
            report.add("mpi.round_trip.p99", "us", bench::quantile(microseconds, 0.99));
        }
    }
    measure_bandwidth(rank, size - 1, quick, report);
    add_memory(rank, report);
    MPI_Finalize();
    if (rank == 0) {
        report.print();
    }
    return 0;
}
