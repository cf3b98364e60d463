// What the journal costs: keyed tasks beside plain ones, and a run that finds everything done.
//
// Runs alone: each measure takes several runs, and under a launcher there is one per process.

#include "report.hpp"

#include <muster/core/muster.hpp>

#include <boost/program_options.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <ranges>
#include <stdexcept>
#include <string>

namespace {

namespace po = boost::program_options;
using Clock = std::chrono::steady_clock;

struct Sizes {
    int repetitions = 3;
    std::int64_t tasks = 1'000'000;
    std::int64_t one_by_one = 2'000;
};

constexpr Sizes quick_sizes{.repetitions = 1, .tasks = 2'000, .one_by_one = 20};

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::int64_t next(std::int64_t x) {
    return x + 1;
}

/// A directory that is gone at the end.
class Folder {
public:
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "muster-bench-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("cannot make a temporary folder: " + name);
        }
        path_ = name;
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    ~Folder() { std::filesystem::remove_all(path_); }

    [[nodiscard]] std::string journal() const { return path_ / "journal"; }

private:
    std::filesystem::path path_;
};

struct Times {
    double start = 0; ///< Until the driver runs.
    double map = 0;   ///< Until map() has returned and every result was got.
    double whole = 0; ///< Until run() has returned.
};

Times run_map(std::int64_t tasks, const std::string& journal) {
    Times times;
    const auto begin = Clock::now();
    const auto driver = [&] {
        times.start = seconds_since(begin);
        const auto mapped = Clock::now();
        const auto futures = muster::map<&next>(std::views::iota(std::int64_t{0}, tasks),
                                                {.keyed = !journal.empty()});
        std::int64_t sum = 0;
        for (const auto& future : futures) {
            sum += future.get();
        }
        if (sum != tasks * (tasks + 1) / 2) {
            throw std::runtime_error("the results are wrong");
        }
        times.map = seconds_since(mapped);
    };
    if (muster::run(0, nullptr, driver, {.journal = journal}) != 0) {
        throw std::runtime_error("the run failed");
    }
    times.whole = seconds_since(begin);
    return times;
}

double run_one_by_one(std::int64_t tasks, const std::string& journal) {
    double seconds = 0;
    const auto driver = [&] {
        const auto begin = Clock::now();
        for (std::int64_t i = 0; i < tasks; ++i) {
            (void)muster::task<&next>.with({.keyed = !journal.empty()})(i).get();
        }
        seconds = seconds_since(begin);
    };
    if (muster::run(0, nullptr, driver, {.journal = journal}) != 0) {
        throw std::runtime_error("the run failed");
    }
    return seconds;
}

void measure(const Sizes& sizes) {
    bench::Report report;
    bench::describe_machine(report);
    const auto per_task = [](double seconds, std::int64_t tasks) {
        return seconds * 1e6 / static_cast<double>(tasks);
    };
    for (int i = 0; i < sizes.repetitions; ++i) {
        const Folder folder;
        const auto plain = run_map(sizes.tasks, "");
        const auto recording = run_map(sizes.tasks, folder.journal());
        const auto replayed = run_map(sizes.tasks, folder.journal());
        report.add("journal.map.plain", "us/task", per_task(plain.map, sizes.tasks));
        report.add("journal.map.recorded", "us/task", per_task(recording.whole, sizes.tasks));
        report.add("journal.replay", "s", replayed.start - plain.start);
        report.add("journal.map.skipped", "s", replayed.map);
        const Folder other;
        report.add("journal.one_by_one.plain",
                   "us/task",
                   per_task(run_one_by_one(sizes.one_by_one, ""), sizes.one_by_one));
        report.add("journal.one_by_one.recorded",
                   "us/task",
                   per_task(run_one_by_one(sizes.one_by_one, other.journal()), sizes.one_by_one));
    }
    report.print();
}

} // namespace

int main(int argc, char** argv) {
    try {
        Sizes sizes;
        po::options_description options("Options");
        options.add_options()("help", "print this")("quick", "tiny sizes: does it work at all?")(
            "repetitions", po::value<int>(), "how often to measure (default 3)")(
            "tasks", po::value<std::int64_t>(), "entries of the map (default 1,000,000)");
        po::variables_map values;
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
        if (values.contains("help")) {
            std::cout << "Usage: bench_journal [options]\n" << options;
            return 0;
        }
        if (values.contains("quick")) {
            sizes = quick_sizes;
        }
        if (values.contains("repetitions")) {
            sizes.repetitions = values["repetitions"].as<int>();
        }
        if (values.contains("tasks")) {
            sizes.tasks = values["tasks"].as<std::int64_t>();
        }
        measure(sizes);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
