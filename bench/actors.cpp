// Rates and latencies of calls of actors, as a user's program sees them. bench/run starts it with
// the ranks and settings that its figures are meant for; see README.md.

#include "report.hpp"

#include <muster/core/muster.hpp>

#include <boost/program_options.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <vector>

namespace {

namespace po = boost::program_options;
using Clock = std::chrono::steady_clock;

class Counter {
public:
    explicit Counter(std::int64_t start) : value_(start) {}

    std::int64_t add(std::int64_t by) {
        value_ += by;
        return value_;
    }

private:
    std::int64_t value_;
};

/// How much of everything to do.
struct Sizes {
    int repetitions = 5;
    int round_trips = 2'000;
    int calls = 10'000;
    int actors = 200;
};

constexpr Sizes quick_sizes{.repetitions = 1, .round_trips = 50, .calls = 200, .actors = 5};

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// On the last rank: another one than the caller's, where there are several.
muster::ActorHandle<Counter> make_counter() {
    auto counter = muster::spawn<Counter>(
        {.placement = muster::on_rank(muster::cluster().ranks - 1)}, std::int64_t{0});
    (void)counter.call<&Counter::add>(0).get();
    return counter;
}

void one_by_one(const Sizes& sizes, bench::Report& report) {
    const auto counter = make_counter();
    std::vector<double> microseconds;
    for (int i = 0; i < sizes.round_trips / 10; ++i) { // warms up
        (void)counter.call<&Counter::add>(1).get();
    }
    const auto begin = Clock::now();
    for (int i = 0; i < sizes.round_trips; ++i) {
        const auto call = Clock::now();
        (void)counter.call<&Counter::add>(1).get();
        microseconds.push_back(seconds_since(call) * 1e6);
    }
    report.add("actor.one_by_one", "calls/s", sizes.round_trips / seconds_since(begin));
    report.add("actor.one_by_one.median", "us", bench::quantile(microseconds, 0.5));
}

void pipelined(const Sizes& sizes, bench::Report& report) {
    const auto counter = make_counter();
    std::vector<muster::Future<std::int64_t>> futures;
    futures.reserve(static_cast<std::size_t>(sizes.calls));
    const auto begin = Clock::now();
    for (int i = 0; i < sizes.calls; ++i) {
        futures.push_back(counter.call<&Counter::add>(1));
    }
    for (const auto& future : futures) {
        (void)future.get();
    }
    report.add("actor.pipelined", "calls/s", sizes.calls / seconds_since(begin));
}

void create(const Sizes& sizes, bench::Report& report) {
    std::vector<muster::ActorHandle<Counter>> counters;
    const auto begin = Clock::now();
    for (int i = 0; i < sizes.actors; ++i) {
        counters.push_back(make_counter());
    }
    report.add("actor.create", "ms", seconds_since(begin) * 1e3 / sizes.actors);
}

void measure(const Sizes& sizes) {
    bench::Report report;
    bench::describe_machine(report);
    report.describe("ranks", std::to_string(muster::cluster().ranks));
    for (int i = 0; i < sizes.repetitions; ++i) {
        one_by_one(sizes, report);
        pipelined(sizes, report);
        create(sizes, report);
    }
    report.print();
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        Sizes sizes;
        po::options_description options("Options");
        options.add_options()("help", "print this")("quick", "tiny sizes: does it work at all?")(
            "repetitions", po::value<int>(), "how often to measure (default 5)");
        po::variables_map values;
        try {
            po::store(po::parse_command_line(argc, argv, options), values);
            po::notify(values);
        } catch (const po::error& error) {
            throw muster::UsageError(error.what());
        }
        if (values.contains("help")) {
            std::cout << "Usage: bench_actors [options]\n" << options;
            return;
        }
        if (values.contains("quick")) {
            sizes = quick_sizes;
        }
        if (values.contains("repetitions")) {
            sizes.repetitions = values["repetitions"].as<int>();
        }
        measure(sizes);
    });
}
