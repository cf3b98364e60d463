// What it costs to run a task in a process of its own, as a user's program sees it: with a process
// made for it, and with one that has run the function before. See README.md.

#include "report.hpp"

#include <muster/core/muster.hpp>

#include <boost/program_options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <utility>
#include <vector>

namespace {

namespace po = boost::program_options;
using Clock = std::chrono::steady_clock;

/// How much of everything to do.
struct Sizes {
    int repetitions = 3;
    int round_trips = 2'000;
    std::size_t large_bytes = std::size_t{100} << 20;
};

constexpr Sizes quick_sizes{.repetitions = 1, .round_trips = 50, .large_bytes = 100'000};

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

void nothing() {
}

/// As many functions as there are numbers, so that each meets no process that has run it.
template <int N>
int nothing_yet() {
    return N;
}

std::vector<std::uint8_t> pass(std::vector<std::uint8_t> bytes) {
    return bytes;
}

muster::TaskOptions on_last(bool isolate) {
    return {.placement = muster::on_rank(muster::cluster().ranks - 1), .isolate = isolate};
}

template <int... N>
void cold(bench::Report& report, std::integer_sequence<int, N...> /*functions*/) {
    const auto once = [&](auto task) {
        const auto begin = Clock::now();
        (void)task().get();
        report.add("isolate.cold", "ms", seconds_since(begin) * 1e3);
    };
    (once(muster::task<&nothing_yet<N>>.with(on_last(true))), ...);
}

void round_trips(const Sizes& sizes, bool isolate, const char* name, bench::Report& report) {
    const auto task = muster::task<&nothing>.with(on_last(isolate));
    std::vector<double> microseconds;
    for (int i = 0; i < sizes.round_trips / 10; ++i) { // warms up
        task().get();
    }
    for (int i = 0; i < sizes.round_trips; ++i) {
        const auto begin = Clock::now();
        task().get();
        microseconds.push_back(seconds_since(begin) * 1e6);
    }
    report.add(std::string(name) + ".median", "us", bench::quantile(microseconds, 0.5));
    report.add(std::string(name) + ".p99", "us", bench::quantile(microseconds, 0.99));
}

/// An argument there and the same back as the result.
void large(const Sizes& sizes, bool isolate, const char* name, bench::Report& report) {
    const auto stored = muster::put(std::vector<std::uint8_t>(sizes.large_bytes, 1));
    const auto begin = Clock::now();
    (void)muster::task<&pass>.with(on_last(isolate))(stored).get();
    report.add(name, "ms", seconds_since(begin) * 1e3);
}

void measure(const Sizes& sizes) {
    bench::Report report;
    bench::describe_machine(report);
    report.describe("ranks", std::to_string(muster::cluster().ranks));
    cold(report, std::make_integer_sequence<int, 30>());
    for (int i = 0; i < sizes.repetitions; ++i) {
        round_trips(sizes, true, "isolate.reused", report);
        round_trips(sizes, false, "isolate.thread", report);
        large(sizes, true, "isolate.large", report);
        large(sizes, false, "isolate.large.thread", report);
    }
    report.print();
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        Sizes sizes;
        po::options_description options("Options");
        options.add_options()("help", "print this")("quick", "tiny sizes: does it work at all?")(
            "repetitions", po::value<int>(), "how often to measure (default 3)");
        po::variables_map values;
        try {
            po::store(po::parse_command_line(argc, argv, options), values);
            po::notify(values);
        } catch (const po::error& error) {
            throw muster::UsageError(error.what());
        }
        if (values.contains("help")) {
            std::cout << "Usage: bench_isolate [options]\n" << options;
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
