// A program as users start it: what it does is its first argument.

#include <muster/core/muster.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <memory>
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

// The same in a process that SIGTERM does not end, with a child outside its process group.
void spin_isolated() {
    if (::fork() == 0) {
        ::setsid();
        ::pause();
    }
    spin();
}

struct Idler {
    void spin() { ::spin(); }
};

// Every kind of thing that may be under way when the end comes.
void be_busy() {
    const int ranks = muster::cluster().ranks;
    std::vector<muster::Future<void>> tasks;
    std::vector<muster::ActorHandle<Idler>> actors;
    for (int rank = 0; rank < ranks; ++rank) {
        const auto here = muster::on_rank(rank);
        tasks.push_back(muster::task<&wait_for_stop>.with({.cpus = 0, .placement = here})());
        tasks.push_back(muster::task<&spin>.with({.cpus = 0, .placement = here})());
        (void)muster::task<&spin_isolated>.with({.cpus = 0, .placement = here, .isolate = true})();
        for (const bool isolate : {false, true}) { // an idle process, and one that has an actor
            muster::task<[] {}>.with({.cpus = 0, .placement = here, .isolate = isolate})().get();
            actors.push_back(muster::spawn<Idler>({.placement = here, .isolate = isolate}));
        }
        actors.back().call<&Idler::spin>();
        for (int i = 0; i < 3; ++i) {
            (void)muster::command({"sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"})
                .with({.cpus = 0, .placement = here})();
        }
        (void)muster::command({"true"}).with({.cpus = 0, .placement = here})().get();
    }
    std::cout << "running" << std::endl;
    tasks.front().get();
}

// A task that takes a while, unless it is asked to stop. @return whether it was not.
bool work(std::chrono::milliseconds time) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    const auto stop = muster::this_task().stop_token;
    std::condition_variable_any().wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

// In a driver: a task might not have started yet when the end comes, and would not any more.
void look_away() {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable().wait_for(lock, std::chrono::milliseconds(1), [] { return false; });
}

struct Saver {
    int save() { return ++saved; }

    void begin() { ++begun; }

    [[nodiscard]] int count() const { return begun; }

    int saved = 0;
    int begun = 0; ///< Tasks that say that they have started.
};

// A task that goes on until the run is about to end, and a little longer.
bool work_until_the_end(const std::vector<muster::ActorHandle<Saver>>& told) {
    using namespace std::chrono_literals;
    for (const auto& saver : told) {
        saver.call<&Saver::begin>().get();
    }
    while (!muster::stopping() && work(5ms)) {
    }
    return work(100ms);
}

// Tasks on each rank, and more of them than can run; hooks here and in a task. When the end is
// near, what runs finishes, what waits fails, and the driver saves and returns 0 all the same.
int end_early(bool catches) {
    const int ranks = muster::cluster().ranks;
    const auto last = muster::on_rank(ranks - 1);
    auto saver = muster::spawn<Saver>({.placement = last});
    const auto hook = muster::on_deadline([&] {
        const auto left = muster::time_left();
        std::cout << "hook: saved " << saver.call<&Saver::save>().get() << ", time left "
                  << (left && left->count() > 0) << std::endl;
    });
    const auto thrower = muster::on_deadline([] { throw std::runtime_error("disk full"); });
    auto hooked = muster::task<[](const std::vector<muster::ActorHandle<Saver>>& told) {
                      std::atomic<bool> called{false};
                      const auto own = muster::on_deadline([&] { called = true; });
                      told.front().call<&Saver::begin>().get();
                      while (!called && work(std::chrono::milliseconds(5))) {
                      }
                      return called.load();
                  }>.with({.cpus = 0, .placement = last})(std::vector{saver});
    std::vector<muster::Future<bool>> running;
    for (int rank = 0; rank < ranks; ++rank) {
        running.push_back(muster::task<&work_until_the_end>.with(
            {.cpus = 0, .placement = muster::on_rank(rank)})(std::vector{saver}));
    }
    while (saver.call<&Saver::count>().get() < ranks + 1) {
    }
    std::vector<muster::Future<bool>> waiting;
    for (int i = 0; i < 200; ++i) {
        waiting.push_back(
            muster::task<&work_until_the_end>(std::vector<muster::ActorHandle<Saver>>()));
    }
    auto behind = muster::task<[](bool finished) { return finished; }>(waiting.back());
    std::cout << "running" << std::endl;
    if (!catches) {
        return waiting.back().get() ? 0 : 1;
    }
    int finished = 0;
    for (auto& future : running) {
        finished += future.get() ? 1 : 0;
    }
    std::cout << "finished " << finished << " of " << ranks << std::endl;
    std::cout << "task's hook ran " << hooked.get() << std::endl;
    for (auto* future : {&waiting.back(), &behind}) {
        try {
            (void)future->get();
        } catch (const muster::TaskError& error) {
            std::cout << "code " << static_cast<int>(error.code()) << ": "
                      << error.root_cause().message << std::endl;
        }
    }
    std::cout << "saved " << saver.call<&Saver::save>().get() << std::endl;
    return 0;
}

int sum(const std::vector<int>& parts) {
    return static_cast<int>(parts.size());
}

int same(int value) {
    return value;
}

// A graph in which everything waits for something, for the page of SIGUSR1.
void wait_on_one_another() {
    const auto last = muster::on_rank(muster::cluster().ranks - 1);
    auto begun = muster::task<&wait_for_stop>.with({.cpus = 0, .placement = last})();
    std::vector<muster::Future<int>> parts;
    for (int i = 0; i < 5; ++i) {
        parts.push_back(muster::task<[](muster::Future<void> first, int n) {
                            first.get();
                            return n;
                        }>.with({.cpus = 0, .placement = last, .name = "part"})(begun, i));
    }
    auto merged = muster::task<&sum>.with({.name = "merge"})(parts);
    auto report = muster::task<&same>.with({.name = "report"})(merged);
    // Behind those in line, so they have started, or wait for what has.
    (void)muster::command({"true"}).with({.cpus = 0, .placement = last})().get();
    std::vector<muster::Future<void>> hungry;
    for (int i = 0; i < 1'000; ++i) {
        hungry.push_back(muster::task<&wait_for_stop>.with({.cpus = 1, .priority = 2})());
    }
    // As many as there is room for are granted before the driver is told of any other's end.
    auto answered = muster::task<&add>.with({.cpus = 0, .priority = 3})(1, 2);
    (void)answered.get();
    std::cout << "running" << std::endl;
    (void)report.get();
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
    } else if (what == "isolated-deaf") {
        const auto begun = muster::task<&wait_for_stop>.with({.cpus = 0})();
        (void)muster::task<[](const muster::Future<void>& sign) {
            muster::cancel(sign);
            spin_isolated();
        }>.with({.placement = muster::on_rank(last), .isolate = true})(begun);
        (void)muster::wait(std::vector{begun});
        return 5;
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
    } else if (what == "lose-the-driver") {
        (void)muster::command({"sleep", "1000"}).with({.placement = muster::on_rank(last)})();
        std::raise(SIGKILL);
    } else if (what == "lose-a-rank-and-go-on") {
        (void)muster::command({"sleep", "1000"})
            .with({.cpus = 0, .placement = muster::on_rank(last)})();
        const auto lost = muster::task<[] { std::raise(SIGKILL); }>.with(
            {.cpus = 0, .placement = muster::on_rank(last)})();
        (void)muster::wait(std::vector{lost});
        if (muster::task<&add>(1, 2).get() == 3) {
            std::cout << "went on without it" << std::endl;
        }
    } else if (what == "end-early") {
        return end_early(true);
    } else if (what == "end-early-uncaught") {
        return end_early(false);
    } else if (what == "looks") {
        std::cout << "running" << std::endl;
        for (int i = 0; i < 6'000 && !muster::stopping(); ++i) {
            look_away();
        }
        std::cout << "stopping " << muster::stopping() << std::endl;
        return 9;
    } else if (what == "hook-hangs") {
        const auto hook = muster::on_deadline([] { spin(); });
        std::cout << "running" << std::endl;
        muster::task<&wait_for_stop>().get();
    } else if (what == "deaf-driver") {
        std::cout << "running" << std::endl;
        spin();
    } else if (what == "waits") {
        wait_on_one_another();
    } else if (what == "lose-a-rank") {
        (void)muster::command({"sleep", "1000"})
            .with({.cpus = 0, .placement = muster::on_rank(0)})();
        (void)muster::command({"sleep", "1000"})
            .with({.cpus = 0, .placement = muster::on_rank(last)})();
        muster::task<[] {
        }>.with({.cpus = 0, .placement = muster::on_rank(last), .isolate = true})()
            .get();
        const auto begun = muster::task<&wait_for_stop>.with({.cpus = 0})();
        (void)muster::task<[](const muster::Future<void>& sign) {
            muster::cancel(sign);
            spin_isolated();
        }>.with({.cpus = 0, .placement = muster::on_rank(last), .isolate = true})(begun);
        (void)muster::wait(std::vector{begun});
        muster::task<[] {
            std::raise(SIGKILL);
        }>.with({.cpus = 0, .placement = muster::on_rank(last)})()
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
