// What the tests run as jobs. The first argument says what it does.
//
//   resources        prints what each rank may use
//   study N          N keyed tasks of a tenth of a second; each execution leaves a line in the file
//                    that EXECUTIONS names, so that a test can count them
//   until FILE       keeps all ranks busy until there is a file FILE, and says what was lost

#include <muster/core/muster.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <ranges>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

std::string host_name() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

void work_for(std::chrono::milliseconds time) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_for(
        lock, muster::this_task().stop_token, time, [] { return false; });
}

void note(const std::string& what) {
    const int fd =
        ::open(std::getenv("EXECUTIONS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    const std::string line = what + "\n";
    if (fd < 0 || ::write(fd, line.data(), line.size()) < 0) {
        std::abort();
    }
    ::close(fd);
}

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// The largest whole demand of a rank that is not refused.
template <class Options>
std::int64_t largest(std::int64_t most, Options options_of) {
    std::int64_t low = 0;
    while (low < most) {
        const std::int64_t middle = low + (most - low + 1) / 2;
        try {
            muster::cancel(muster::task<&host_name>.with(options_of(middle))());
            low = middle;
        } catch (const muster::Error&) {
            most = middle - 1;
        }
    }
    return low;
}

int print_resources() {
    for (int rank = 0; rank < muster::cluster().ranks; ++rank) {
        const auto there = muster::on_rank(rank);
        const auto with_cpus = [&](std::int64_t n) {
            return muster::TaskOptions{.cpus = n, .placement = there};
        };
        const auto with_gpus = [&](std::int64_t n) {
            return muster::TaskOptions{.cpus = 0, .gpus = n, .placement = there};
        };
        const auto with_mebibytes = [&](std::int64_t n) {
            return muster::TaskOptions{.cpus = 0,
                                       .memory = muster::Bytes{static_cast<std::uint64_t>(n) << 20},
                                       .placement = there};
        };
        const std::int64_t cpus = largest(1 << 12, with_cpus);
        const std::int64_t gpus = largest(1 << 6, with_gpus);
        const std::int64_t mebibytes = largest(1 << 22, with_mebibytes);
        const std::string host =
            muster::task<&host_name>.with({.cpus = 0, .placement = there})().get();
        std::cout << "rank " << rank << " on " << host << ": " << cpus << " cpus, " << gpus
                  << " gpus, " << mebibytes << " MiB\n";
    }
    return 0;
}

int step(int i) {
    note(std::to_string(i));
    work_for(100ms);
    if (muster::this_task().stop_token.stop_requested()) {
        throw std::runtime_error("stopped"); // or that would be its result, and kept
    }
    return i;
}

int study(int tasks) {
    auto steps = muster::map<&step>(std::views::iota(0, tasks), {.keyed = true});
    std::int64_t sum = 0;
    for (auto& one : muster::as_completed(steps)) {
        sum += one.get();
    }
    std::cout << "sum " << sum << " after " << variable("SLURM_RESTART_COUNT") << " restarts\n";
    return 0;
}

std::string work() {
    work_for(50ms);
    return host_name();
}

int work_until(const std::string& file) {
    int done = 0;
    bool announced = false;
    while (!std::filesystem::exists(file)) {
        std::vector<muster::Future<std::string>> round;
        for (int i = 0; i < 2 * muster::cluster().ranks; ++i) {
            round.push_back(muster::task<&work>.with({.placement = muster::spread})());
        }
        for (auto& one : round) {
            (void)one.get();
            ++done;
        }
        if (!announced) {
            std::cout << "at work" << std::endl;
            announced = true;
        }
    }
    std::cout << "went on to the end\n" << std::flush;
    return 0;
}

int drive(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "resources") {
        return print_resources();
    }
    if (what == "study" && argc > 2) {
        return study(std::stoi(argv[2]));
    }
    if (what == "until" && argc > 2) {
        return work_until(argv[2]);
    }
    throw muster::UsageError("slurm_program: resources, study N or until FILE");
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] { return drive(argc, argv); });
}
