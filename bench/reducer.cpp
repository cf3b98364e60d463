// What moving gradients costs a gang of two ranks: all_reduce through each back end, bfloat16 on
// the wire, and a reducer's buckets against one all_reduce of everything. A time is that of the
// slowest member; a sample is the median of one repetition's calls.

#include "all_reduce_sizes.hpp"
#include "report.hpp"

#include <muster/core/muster.hpp>
#include <muster/train/gradient_reducer.hpp>
#include <muster/train/mpi_backend.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace train = muster::train;

constexpr int members = 2;

/// The median over calls of the slowest member's milliseconds.
double measure(muster::Communicator& gang, int calls, const std::function<void()>& call) {
    call();
    call();
    std::vector<double> times;
    for (int i = 0; i < calls; ++i) {
        gang.barrier();
        const auto begin = std::chrono::steady_clock::now();
        call();
        const std::chrono::duration<double, std::milli> time =
            std::chrono::steady_clock::now() - begin;
        double slowest = time.count();
        gang.all_reduce(std::span(&slowest, 1), muster::ReduceOp::max);
        times.push_back(slowest);
    }
    return bench::quantile(times, 0.5);
}

std::vector<double> measure_size(muster::Communicator& gang, std::uint64_t elements, int calls) {
    std::vector<float> data(elements);
    std::vector<train::BFloat16> narrow(elements);
    std::vector<double> times;
    times.push_back(measure(gang, calls, [&] { gang.all_reduce(std::span(data)); }));
    {
        const auto backend = train::make_communicator_backend(gang);
        times.push_back(measure(gang, calls, [&] { backend->all_reduce(std::span(data)).wait(); }));
    }
    {
        const auto backend = train::make_communicator_backend(gang);
        times.push_back(
            measure(gang, calls, [&] { backend->all_reduce(std::span(narrow)).wait(); }));
        const auto hook = train::make_narrow_hook(train::ElementType::bfloat16);
        times.push_back(measure(gang, calls, [&] {
            const train::BucketPiece piece{0, data};
            const auto reduction = hook->reduce(data, std::span(&piece, 1), *backend);
            while (reduction->advance()) {
            }
        }));
    }
    {
        const auto backend = train::make_mpi_backend(gang);
        times.push_back(measure(gang, calls, [&] { backend->all_reduce(std::span(data)).wait(); }));
        times.push_back(
            measure(gang, calls, [&] { backend->all_reduce(std::span(narrow)).wait(); }));
    }
    return times;
}

constexpr const char* names[] = {"communicator_itself",
                                 "communicator",
                                 "communicator.bfloat16",
                                 "communicator.bfloat16_hook",
                                 "mpi",
                                 "mpi.bfloat16"};

/// A step of 100 parameters without any computation: in buckets, and in one piece.
std::vector<double> measure_steps(muster::Communicator& gang, std::uint64_t elements, int calls) {
    constexpr std::size_t parameters = 100;
    std::vector<float> data(elements);
    std::vector<train::ParameterView> gradients;
    const std::size_t each = elements / parameters;
    for (std::size_t i = 0; i < parameters; ++i) {
        gradients.emplace_back(std::span(data).subspan(i * each, each));
    }
    std::vector<double> times;
    constexpr std::uint64_t everything = std::uint64_t{1} << 40U;
    for (const auto& options :
         {train::ReducerOptions{},
          train::ReducerOptions{.first_bucket_bytes = everything, .bucket_bytes = everything}}) {
        train::GradientReducer reducer(gang, gradients, options);
        times.push_back(measure(gang, calls, [&] {
            reducer.begin(1);
            for (std::size_t i = parameters; i-- > 0;) {
                reducer.mark_ready(i);
            }
            (void)reducer.finish();
        }));
    }
    return times;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
        // --only TEXT: measures with it in their names.
        const std::string only = argc > 2 && std::strcmp(argv[1], "--only") == 0 ? argv[2] : "";
        const int repetitions = quick ? 1 : 3;
        bench::Report report;
        for (int repetition = 0; repetition < repetitions; ++repetition) {
            for (const bench::AllReduceSize& size : bench::all_reduce_sizes(quick)) {
                if (std::string(size.name).find(only) == std::string::npos) {
                    continue;
                }
                const auto times = muster::task<&measure_size>.with(
                    {.ranks = members, .raw_mpi = true})(std::uint64_t{size.elements()}, std::min(size.calls, size.bytes < (std::size_t{25} << 20U) ? 20 : 3))
                                       .get()
                                       .front();
                for (std::size_t i = 0; i < times.size(); ++i) {
                    report.add(std::string(size.name) + "." + names[i], "ms", times[i]);
                }
            }
            if (std::string("step.100MiB").find(only) == std::string::npos) {
                continue;
            }
            const std::uint64_t elements = quick ? 10000 : std::uint64_t{25} << 20U;
            const auto steps =
                muster::task<&measure_steps>.with({.ranks = members})(elements, 3).get().front();
            report.add("step.100MiB.buckets", "ms", steps[0]);
            report.add("step.100MiB.one_all_reduce", "ms", steps[1]);
        }
        report.print();
    });
}
