// Rates, latencies and costs of tasks and objects, as a user's program sees them. bench/run starts
// it with the ranks and settings that its figures are meant for; see README.md.

#include "process_usage.hpp"
#include "report.hpp"

#include <muster/core/muster.hpp>

#include <boost/program_options.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace po = boost::program_options;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::uint8_t>;

void no_op() {
}

void no_op_with(std::int32_t /*number*/) {
}

std::int32_t increment(std::int32_t number) {
    return number + 1;
}

std::int32_t add(std::int32_t a, std::int32_t b) {
    return a + b;
}

std::uint64_t size_of(const Bytes& bytes) {
    return bytes.size();
}

Bytes make_bytes(std::uint64_t size) {
    return Bytes(size, 1);
}

bench::ProcessUsage usage_here() {
    return bench::process_usage();
}

/// How much of everything to do.
struct Sizes {
    int repetitions = 5;
    int tasks = 10'000;
    int mapped = 1'000'000;
    int round_trips = 2'000;
    int chain = 1'000;
    int tree_leaves = 1'024; // 2,047 tasks
    std::uint64_t large_bytes = std::uint64_t{100} << 20;
    std::chrono::milliseconds idle = 3s;
    std::chrono::milliseconds pause = 1s;
    int pauses = 10;
};

constexpr Sizes quick_sizes{.repetitions = 1,
                            .tasks = 200,
                            .mapped = 2'000,
                            .round_trips = 50,
                            .chain = 50,
                            .tree_leaves = 16,
                            .large_bytes = std::uint64_t{1} << 20,
                            .idle = 20ms,
                            .pause = 5ms,
                            .pauses = 2};

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr double micro = 1e-6;
constexpr double giga = 1e9;

/// The last rank: another one than the caller's, where there are several.
muster::Placement elsewhere() {
    return muster::on_rank(muster::cluster().ranks - 1);
}

void one_by_one(const Sizes& sizes, bench::Report& report) {
    std::vector<muster::Future<void>> futures;
    futures.reserve(static_cast<std::size_t>(sizes.tasks));
    const auto begin = Clock::now();
    for (int i = 0; i < sizes.tasks; ++i) {
        futures.push_back(muster::task<&no_op>());
    }
    for (const auto& future : futures) {
        future.get();
    }
    report.add("tasks.one_by_one", "tasks/s", sizes.tasks / seconds_since(begin));
}

void map(const Sizes& sizes, bench::Report& report) {
    std::vector<std::int32_t> numbers(static_cast<std::size_t>(sizes.mapped));
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto begin = Clock::now();
    auto futures = muster::map<&no_op_with>(numbers);
    report.add("tasks.map.queued", "s", seconds_since(begin));
    for (const auto& future : futures) {
        future.get();
    }
    report.add("tasks.map", "tasks/s", sizes.mapped / seconds_since(begin));
}

void round_trip(const Sizes& sizes, bench::Report& report) {
    const auto task = muster::task<&increment>.with({.placement = elsewhere()});
    std::vector<double> microseconds;
    for (int i = -sizes.round_trips / 10; i < sizes.round_trips; ++i) { // the first ones warm up
        const auto begin = Clock::now();
        task(i).get();
        if (i >= 0) {
            microseconds.push_back(seconds_since(begin) / micro);
        }
    }
    report.add("latency.submit_get.median", "us", bench::quantile(microseconds, 0.5));
    report.add("latency.submit_get.p99", "us", bench::quantile(microseconds, 0.99));
}

void chain(const Sizes& sizes, bench::Report& report) {
    auto begin = Clock::now();
    std::int32_t value = 0;
    for (int i = 0; i < sizes.chain; ++i) {
        value = muster::task<&increment>(value).get();
    }
    report.add("chain.one_by_one", "us/hop", seconds_since(begin) / micro / sizes.chain);

    begin = Clock::now();
    auto last = muster::task<&increment>(0);
    for (int i = 1; i < sizes.chain; ++i) {
        last = muster::task<&increment>(last);
    }
    last.get();
    report.add("chain.at_once", "us/hop", seconds_since(begin) / micro / sizes.chain);
}

void tree(const Sizes& sizes, bench::Report& report) {
    const auto begin = Clock::now();
    std::vector<muster::Future<std::int32_t>> level;
    for (int i = 0; i < sizes.tree_leaves; ++i) {
        level.push_back(muster::task<&increment>(i));
    }
    while (level.size() > 1) {
        std::vector<muster::Future<std::int32_t>> next;
        for (std::size_t i = 0; i + 1 < level.size(); i += 2) {
            next.push_back(muster::task<&add>(level[i], level[i + 1]));
        }
        level = std::move(next);
    }
    level.front().get();
    report.add("tree", "ms", seconds_since(begin) * 1e3);
}

void objects(const Sizes& sizes, bench::Report& report) {
    const auto take = muster::task<&size_of>.with({.placement = elsewhere()});
    const auto make = muster::task<&make_bytes>.with({.placement = elsewhere()});
    const std::vector<std::pair<std::string, std::uint64_t>> kinds{
        {"1KiB", 1U << 10}, {"1MiB", 1U << 20}, {"100MiB", sizes.large_bytes}};
    for (const auto& [name, size] : kinds) {
        const Bytes bytes(size, 1);
        const auto add = [&, &name = name, &size = size](const char* what, double seconds) {
            report.add(std::string(what) + '.' + name, "us", seconds / micro);
            if (size >= 1U << 20) {
                report.add(std::string(what) + '.' + name + ".rate",
                           "GB/s",
                           static_cast<double>(size) / seconds / giga);
            }
        };
        auto begin = Clock::now();
        const auto stored = muster::put(bytes);
        add("object.put", seconds_since(begin));
        begin = Clock::now();
        (void)stored.get();
        add("object.get", seconds_since(begin));
        begin = Clock::now();
        (void)take(stored).get();
        add("object.argument", seconds_since(begin));
        begin = Clock::now();
        (void)make(size).get();
        add("object.result", seconds_since(begin));
    }
}

void after_idle(const Sizes& sizes, bench::Report& report) {
    const auto task = muster::task<&increment>.with({.placement = elsewhere()});
    task(0).get();
    for (int i = 0; i < sizes.pauses; ++i) {
        std::this_thread::sleep_for(sizes.pause);
        const auto begin = Clock::now();
        task(0).get();
        report.add("latency.after_idle", "us", seconds_since(begin) / micro);
    }
}

/// Of every rank; the driver's own process first, which may run no tasks.
std::vector<bench::ProcessUsage> usage_of_ranks() {
    std::vector<bench::ProcessUsage> usage{bench::process_usage()};
    for (int rank = 1; rank < muster::cluster().ranks; ++rank) {
        usage.push_back(
            muster::task<&usage_here>.with({.placement = muster::on_rank(rank)})().get());
    }
    return usage;
}

void idle_cpu(const Sizes& sizes, bench::Report& report) {
    const auto begin = Clock::now();
    const auto before = usage_of_ranks();
    std::this_thread::sleep_for(sizes.idle);
    const auto after = usage_of_ranks();
    const double seconds = seconds_since(begin);
    for (std::size_t rank = 0; rank < before.size(); ++rank) {
        report.add("idle.cpu.rank" + std::to_string(rank),
                   "%",
                   100 * (after[rank].cpu_seconds - before[rank].cpu_seconds) / seconds);
    }
}

void memory(const std::string& when, bench::Report& report) {
    const auto usage = usage_of_ranks();
    for (std::size_t rank = 0; rank < usage.size(); ++rank) {
        const std::string end = when + ".rank" + std::to_string(rank);
        report.add("memory.private." + end, "MiB", usage[rank].private_mib);
        report.add("memory.pss." + end, "MiB", usage[rank].pss_mib);
    }
}

void measure(const Sizes& sizes, const std::string& only) {
    bench::Report report;
    bench::describe_machine(report);
    report.describe("ranks", std::to_string(muster::cluster().ranks));
    const auto measure_each =
        [&](const std::string& name,
            const std::function<void(const Sizes&, bench::Report&)>& function) {
            for (int i = 0; (only.empty() || name == only) && i < sizes.repetitions; ++i) {
                function(sizes, report);
            }
        };
    memory("start", report);
    measure_each("round_trip", round_trip);
    measure_each("one_by_one", one_by_one);
    measure_each("chain", chain);
    measure_each("tree", tree);
    if (only.empty() || only == "idle") {
        idle_cpu(sizes, report);
        after_idle(sizes, report);
    }
    measure_each("objects", objects);
    measure_each("map", map);
    memory("end", report);
    report.print();
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        Sizes sizes;
        std::string only;
        po::options_description options("Options");
        options.add_options()("help", "print this")("quick", "tiny sizes: does it work at all?")(
            "repetitions", po::value<int>(), "how often to measure (default 5)")(
            "pause", po::value<int>(), "ms of idleness before a round trip (default 1000)")(
            "only",
            po::value(&only),
            "round_trip, one_by_one, chain, tree, idle, objects or map (default: all)");
        po::variables_map values;
        try {
            po::store(po::parse_command_line(argc, argv, options), values);
            po::notify(values);
        } catch (const po::error& error) {
            throw muster::UsageError(error.what());
        }
        if (values.contains("help")) {
            std::cout << "Usage: bench_core [options]\n" << options;
            return;
        }
        if (values.contains("quick")) {
            sizes = quick_sizes;
        }
        if (values.contains("pause")) {
            sizes.pause = std::chrono::milliseconds(values["pause"].as<int>());
        }
        if (values.contains("repetitions")) {
            sizes.repetitions = values["repetitions"].as<int>();
        }
        measure(sizes, only);
    });
}
