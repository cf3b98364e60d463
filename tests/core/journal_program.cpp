// A study as users write one, with keyed tasks. What it does is its first argument. Every execution
// of a task leaves a line in the file that EXECUTIONS names, so that a test can count them.

#include <muster/core/muster.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void note(const std::string& what) {
    const int fd =
        ::open(std::getenv("EXECUTIONS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    const std::string line = what + "\n";
    if (fd < 0 || ::write(fd, line.data(), line.size()) < 0) {
        std::abort();
    }
    ::close(fd);
}

void wait_for_stop() {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, muster::this_task().stop_token, [] { return false; });
}

/// From this index on tasks do not end by themselves.
int stuck_from() {
    const char* const text = std::getenv("STUCK_FROM");
    return text == nullptr ? 1 << 30 : std::stoi(text);
}

std::int64_t square(std::int64_t x) {
    note("square " + std::to_string(x));
    if (x >= stuck_from()) {
        wait_for_stop();
        throw std::runtime_error("stopped"); // or that would be its result, and kept
    }
    return x * x;
}

// Larger than what travels in a message.
std::vector<std::int64_t> row(std::int64_t size) {
    note("row " + std::to_string(size));
    return std::vector<std::int64_t>(static_cast<std::size_t>(size), size);
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
    note("sum");
    std::int64_t total = 0;
    for (const auto value : values) {
        total += value;
    }
    return total;
}

std::int64_t fail(std::int64_t x) {
    note("fail " + std::to_string(x));
    throw std::runtime_error("no luck");
}

int member(muster::Communicator& ranks) {
    note("member");
    return ranks.size();
}

#ifdef OTHER_TYPE
std::string changing(int x) {
    note("changing");
    return std::to_string(x);
}
#else
int changing(int x) {
    note("changing");
    return x;
}
#endif

template <class Call>
std::string error_of(Call&& call) {
    try {
        call();
    } catch (const muster::Error& error) {
        return error.what();
    }
    return "no error";
}

std::int64_t total(const std::vector<muster::Future<std::int64_t>>& futures) {
    std::int64_t total = 0;
    for (const auto& future : futures) {
        total += future.get();
    }
    return total;
}

// There is another of that name in journal_twin.cpp.
int twin(int x) {
    return x;
}

void refuse() {
    const auto lambda = [](int x) { return x; };
    std::cout << error_of([&] { (void)muster::task<lambda>.with({.keyed = true})(1); }) << '\n';
    std::cout << error_of([&] {
        (void)muster::task<&square>.with({.keyed = true})(muster::task<&square>(2));
    }) << '\n';
    std::cout << muster::task<[] {
                     return error_of([] { (void)muster::task<&square>.with({.key = "x"})(1); });
                 }>()
                     .get()
              << '\n';
    std::cout << error_of([&] { (void)muster::task<&twin>.with({.keyed = true})(1); }) << '\n';
    std::cout << muster::task<lambda>.with({.key = "lambda"})(1).get() << '\n';
    std::cout << muster::task<&twin>.with({.key = "twin", .keyed = true})(2).get() << '\n';
}

} // namespace

/// In journal_twin.cpp.
int run_other_twin();

namespace {

int drive(const std::string& what, std::int64_t count) {
    if (what == "map") {
        auto squares =
            muster::map<&square>(std::views::iota(std::int64_t{0}, count), {.keyed = true});
        std::cout << "total " << total(squares) << std::endl;
    } else if (what == "half") {
        auto squares =
            muster::map<&square>(std::views::iota(std::int64_t{0}, count), {.keyed = true});
        squares.resize(static_cast<std::size_t>(stuck_from()));
        std::cout << "total " << total(squares) << std::endl;
        muster::sync_journal();
        std::cout << "half" << std::endl;
        try {
            muster::task<[] { wait_for_stop(); }>.with({.cpus = 0})().get();
        } catch (const muster::Error&) { // that it was stopped
        }
    } else if (what == "named") {
        for (std::int64_t i = 0; i < count; ++i) {
            // By its name alone: the argument is another in every run.
            const auto name = "trial/" + std::to_string(i);
            std::cout << muster::task<&square>.with({.key = name})(::getpid()).get() << '\n';
        }
    } else if (what == "recorded") {
        std::vector<std::string> names;
        for (std::int64_t i = 0; i < count; ++i) {
            names.push_back("trial/" + std::to_string(i));
        }
        for (const auto& value : muster::recorded<&square>(names)) {
            std::cout << (value ? std::to_string(*value) : "none") << '\n';
        }
        try {
            (void)muster::task<[] { return muster::recorded<&square>({}).size(); }>().get();
        } catch (const muster::TaskError& error) {
            std::cout << error.root_cause().message.substr(0, 10) << '\n';
        }
    } else if (what == "chain") {
        std::vector<std::int64_t> mesh(5'000, 2);
        auto rows = muster::task<&row>.with({.keyed = true})(count);
        std::cout << muster::task<&sum>.with({.keyed = true})(rows).get() << '\n'; // by a key
        std::cout << muster::task<&sum>.with({.keyed = true})(mesh).get()
                  << '\n'; // by a large value
        std::cout << muster::task<&sum>.with({.keyed = true})(muster::put(mesh)).get() << '\n';
        std::cout << muster::task<&sum>(rows).get() << '\n'; // a task that is not keyed
        std::cout << rows.get().size() << '\n';
    } else if (what == "same") {
        std::vector<muster::Future<std::int64_t>> futures;
        for (int i = 0; i < 20; ++i) {
            futures.push_back(muster::task<&square>.with({.keyed = true})(count));
        }
        std::cout << total(futures) << '\n';
        std::cout << muster::task<&square>.with({.keyed = true})(count).get() << '\n';
    } else if (what == "fail") {
        for (int i = 0; i < 2; ++i) {
            auto failing = muster::task<&fail>.with({.keyed = true})(count);
            std::cout << error_of([&] { (void)failing.get(); }).ends_with("no luck") << '\n';
        }
    } else if (what == "gang") {
        const auto size = muster::cluster().ranks;
        const auto sizes =
            muster::task<&member>.with({.cpus = 0, .ranks = size, .key = "gang"})().get();
        std::cout << sizes.size() << '\n';
    } else if (what == "changing") {
        std::cout << muster::task<&changing>.with({.key = "c"})(7).get() << '\n';
    } else if (what == "command") {
        std::cout << muster::command({"sh", "-c", "echo ran >> $EXECUTIONS; echo said"})
                         .with({.keyed = true})()
                         .get()
                         .out;
    } else if (what == "refuse") {
        refuse();
        std::cout << run_other_twin() << '\n';
    } else if (what == "rows") { // of 100,000 bytes each, one after another
        for (std::int64_t i = 0; i < count; ++i) {
            (void)muster::task<&row>.with({.keyed = true})(12'500 + i).get();
            muster::sync_journal();
        }
        std::cout << "rows" << std::endl;
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "map";
    const std::int64_t count = argc > 2 ? std::stoll(argv[2]) : 100;
    muster::RunOptions options;
    options.program_version = "1";
    return muster::run(
        argc, argv, [&] { return drive(what, count); }, options);
}
