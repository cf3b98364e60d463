// What a map over a million no-ops could cost at best: rank 0 deals numbers in batches to the other
// ranks, which call a function on each and send the results back. No futures, queues, errors,
// priorities or dependencies.

#include "report.hpp"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr int batch_size = 32;
constexpr int batches_in_flight = 8; // per worker
constexpr int work_tag = 1;
constexpr int result_tag = 2;

struct Task {
    std::int32_t function;
    std::int32_t argument;
};

using Tasks = std::array<Task, batch_size>;
using Results = std::array<std::int32_t, batch_size>;
using Function = std::int32_t (*)(std::int32_t);

std::int32_t no_op(std::int32_t /*number*/) {
    return 0;
}

// Looked up by number, so that the compiler cannot leave the calls out.
volatile Function functions[] = {no_op}; // NOLINT(modernize-avoid-c-arrays)

/// Deals `count` tasks and waits for all results.
void deal(std::int32_t count, int workers) {
    struct Place { // one batch on its way to a worker and back
        Tasks tasks{};
        Results results{};
        int worker = 0;
    };

    std::vector<Place> places(static_cast<std::size_t>(workers * batches_in_flight));
    std::vector<MPI_Request> requests(places.size(), MPI_REQUEST_NULL);
    std::int32_t next = 0;
    const auto send = [&](std::size_t index) {
        Place& place = places[index];
        const int size = std::min(batch_size, count - next);
        for (int i = 0; i < size; ++i) {
            place.tasks[static_cast<std::size_t>(i)] = {0, next++};
        }
        MPI_Irecv(place.results.data(),
                  batch_size,
                  MPI_INT32_T,
                  place.worker,
                  result_tag,
                  MPI_COMM_WORLD,
                  &requests[index]);
        MPI_Send(place.tasks.data(),
                 size * static_cast<int>(sizeof(Task)),
                 MPI_BYTE,
                 place.worker,
                 work_tag,
                 MPI_COMM_WORLD);
    };
    for (std::size_t i = 0; i < places.size() && next < count; ++i) {
        places[i].worker = 1 + static_cast<int>(i) % workers;
        send(i);
    }
    for (;;) {
        int index = 0;
        MPI_Waitany(static_cast<int>(requests.size()), requests.data(), &index, MPI_STATUS_IGNORE);
        if (index == MPI_UNDEFINED) {
            return;
        }
        if (next < count) {
            send(static_cast<std::size_t>(index));
        }
    }
}

/// Until an empty batch comes.
void work() {
    Tasks tasks{};
    Results results{};
    for (;;) {
        MPI_Status status;
        MPI_Recv(tasks.data(), sizeof(tasks), MPI_BYTE, 0, work_tag, MPI_COMM_WORLD, &status);
        int bytes = 0;
        MPI_Get_count(&status, MPI_BYTE, &bytes);
        const auto size = static_cast<std::size_t>(bytes) / sizeof(Task);
        if (size == 0) {
            return;
        }
        for (std::size_t i = 0; i < size; ++i) {
            results[i] = functions[tasks[i].function](tasks[i].argument);
        }
        MPI_Send(
            results.data(), static_cast<int>(size), MPI_INT32_T, 0, result_tag, MPI_COMM_WORLD);
    }
}

} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
    const int repetitions = quick ? 1 : 5;
    const std::int32_t count = quick ? 2'000 : 1'000'000;
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size < 2) {
        std::fputs("bench_mpi_farm needs two ranks or more: mpirun -n 3\n", stderr);
        MPI_Finalize();
        return 2;
    }
    bench::Report report;
    if (rank != 0) {
        work();
    } else {
        deal(count / 10, size - 1); // warms up
        for (int repetition = 0; repetition < repetitions; ++repetition) {
            const auto begin = std::chrono::steady_clock::now();
            deal(count, size - 1);
            const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
            report.add("farm.map", "tasks/s", count / time.count());
        }
        for (int worker = 1; worker < size; ++worker) {
            MPI_Send(nullptr, 0, MPI_BYTE, worker, work_tag, MPI_COMM_WORLD);
        }
    }
    MPI_Finalize();
    if (rank == 0) {
        report.print();
    }
    return 0;
}
