// A program as users start it: what it does is its first argument.

#include <muster/core/muster.hpp>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

int add(int a, int b) {
    return a + b;
}

#ifdef OTHER_PROGRAM
double only_here(double x) {
    return x;
}
#endif

void wait_for_stop() {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, muster::this_task().stop_token, [] { return false; });
}

std::atomic<bool> spinning{false};

// A task as bad as they come: it computes on and never looks at its stop token.
void spin() {
    spinning = true;
    spinning.notify_all();
    while (true) {
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
}

// Every kind of thing that may be under way when the end comes.
void be_busy() {
    const int ranks = muster::cluster().ranks;
    std::vector<muster::Future<void>> tasks;
    for (int rank = 0; rank < ranks; ++rank) {
        const auto here = muster::on_rank(rank);
        tasks.push_back(muster::task<&wait_for_stop>.with({.cpus = 0, .placement = here})());
        tasks.push_back(muster::task<&spin>.with({.cpus = 0, .placement = here})());
        for (int i = 0; i < 3; ++i) {
            (void)muster::command({"sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"})
                .with({.cpus = 0, .placement = here})();
        }
        (void)muster::command({"true"}).with({.cpus = 0, .placement = here})().get();
    }
    std::cout << "running" << std::endl;
    tasks.front().get();
}

int drive(const std::string& what) {
    const int last = muster::cluster().ranks - 1;
    if (what == "add") {
        std::cout << "sum "
                  << muster::task<&add>.with({.placement = muster::on_rank(last)})(1, 2).get()
                  << std::endl;
    } else if (what == "code") {
        return 7;
    } else if (what == "throw") {
        throw std::runtime_error("no more coffee");
    } else if (what == "usage") {
        throw muster::UsageError("--trials is 0; use 1 or more");
    } else if (what == "task-throws") {
        muster::task<[] {
            throw std::out_of_range("row 9");
        }>.with({.placement = muster::on_rank(last)})()
            .get();
    } else if (what == "busy") {
        be_busy();
    } else if (what == "deaf") {
        (void)muster::task<&spin>();
        spinning.wait(false); // alone, the task runs in this process
    } else if (what == "queued") {
        for (int i = 0; i < 10'000; ++i) {
            (void)muster::task<&add>(i, i);
        }
        return 3;
    } else if (what == "gang") {
        // The driver returns while members wait for one that does not come.
        const auto gate = muster::task<&wait_for_stop>.with({.cpus = 0})();
        (void)muster::task<[](muster::Communicator& ranks, const muster::Future<void>& begun) {
            std::vector<double> data(100'000);
            if (ranks.rank() == 0) {
                muster::cancel(begun);
                wait_for_stop();
            } else if (ranks.rank() == 1) {
                ranks.receive(std::span(data), 0);
            } else {
                ranks.send(std::span<const double>(data), 0);
            }
        }>.with({.cpus = 0, .ranks = last + 1})(gate);
        (void)muster::wait(std::vector{gate});
        return 4;
    } else if (what == "lose-a-rank") {
        (void)muster::command({"sleep", "1000"}).with({.placement = muster::on_rank(0)})();
        (void)muster::command({"sleep", "1000"}).with({.placement = muster::on_rank(last)})();
        muster::task<[] {
            std::raise(SIGKILL);
        }>.with({.placement = muster::on_rank(last)})()
            .get();
    }
#ifdef OTHER_PROGRAM
    std::cout << muster::task<&only_here>(1.0).get() << '\n';
#endif
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "add";
    return muster::run(argc, argv, [&] { return drive(what); });
}
