// all_reduce of a gang of two ranks, as a user's program sees it: in place, on memory that stays,
// warm. A call's time is that of the slowest member; a sample is the median of one repetition's
// calls. bench_mpi_allreduce measures MPI's the same way.

#include "all_reduce_sizes.hpp"
#include "report.hpp"

#include <muster/core/communicator.hpp>
#include <muster/core/muster.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

namespace {

using Repetitions = std::vector<std::vector<double>>; // of each, the milliseconds of each call

constexpr int members = 2;

std::vector<double> time_calls(muster::Communicator& gang, std::span<float> data, int calls) {
    std::vector<double> times;
    gang.barrier();
    for (int i = 0; i < calls; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        gang.all_reduce(data);
        const std::chrono::duration<double, std::milli> time =
            std::chrono::steady_clock::now() - begin;
        times.push_back(time.count());
    }
    return times;
}

Repetitions measure_size(muster::Communicator& gang,
                         std::uint64_t elements,
                         std::int32_t warm_up,
                         std::int32_t calls,
                         std::int32_t repetitions) {
    std::vector<float> data(elements, 1.0F);
    gang.all_reduce(std::span(data));
    if (data.front() != static_cast<float>(gang.size()) || data.back() != data.front()) {
        throw std::runtime_error("a sum is wrong");
    }
    std::fill(data.begin(), data.end(), 0.0F); // sums of zeros stay what they are, however many
    time_calls(gang, data, warm_up);
    Repetitions times;
    for (int repetition = 0; repetition < repetitions; ++repetition) {
        times.push_back(time_calls(gang, data, calls));
    }
    return times;
}

std::vector<double> slowest(const std::vector<Repetitions>& of_members, std::size_t repetition) {
    std::vector<double> times = of_members.front()[repetition];
    for (const Repetitions& member : of_members) {
        for (std::size_t call = 0; call < times.size(); ++call) {
            times[call] = std::max(times[call], member[repetition][call]);
        }
    }
    return times;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
        const int repetitions = quick ? 1 : 5;
        bench::Report report;
        for (const bench::AllReduceSize& size : bench::all_reduce_sizes(quick)) {
            const auto of_members = muster::task<&measure_size>.with({.ranks = members})(
                std::uint64_t{size.elements()}, size.warm_up, size.calls, repetitions).get();
            for (int repetition = 0; repetition < repetitions; ++repetition) {
                const auto times = slowest(of_members, static_cast<std::size_t>(repetition));
                report.add(size.name, "ms", bench::quantile(times, 0.5));
            }
        }
        report.print();
    });
}
