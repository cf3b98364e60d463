// MPI_Allreduce of the same MPI: in place, on memory that stays, warm. A call's time is that of the
// slowest rank; a sample is the median of one repetition's calls.

#include "all_reduce_sizes.hpp"
#include "report.hpp"

#include <mpi.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

/// Milliseconds of each call, on the slowest rank; at rank 0.
std::vector<double> time_calls(std::vector<float>& data, int calls) {
    std::vector<double> times;
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < calls; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        MPI_Allreduce(MPI_IN_PLACE,
                      data.data(),
                      static_cast<int>(data.size()),
                      MPI_FLOAT,
                      MPI_SUM,
                      MPI_COMM_WORLD);
        const std::chrono::duration<double, std::milli> time =
            std::chrono::steady_clock::now() - begin;
        times.push_back(time.count());
    }
    std::vector<double> slowest(times.size());
    MPI_Reduce(times.data(), slowest.data(), calls, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    return slowest;
}

} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int repetitions = quick ? 1 : 5;
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    bench::Report report;
    bool right = true;
    for (const bench::AllReduceSize& each : bench::all_reduce_sizes(quick)) {
        std::vector<float> data(each.elements(), 1.0F);
        time_calls(data, 1);
        right = right && data.front() == static_cast<float>(size) && data.back() == data.front();
        data.assign(data.size(), 0.0F); // sums of zeros stay what they are, however many
        time_calls(data, each.warm_up);
        for (int repetition = 0; repetition < repetitions; ++repetition) {
            const auto times = time_calls(data, each.calls);
            report.add(each.name, "ms", bench::quantile(times, 0.5));
        }
    }
    MPI_Finalize();
    if (!right) {
        std::fputs("bench_mpi_allreduce: a sum is wrong\n", stderr);
        return 1;
    }
    if (rank == 0) {
        report.print();
    }
    return 0;
}
