// An actor that waits for others most of the time: many of its calls are under way at once, and
// take turns on one thread, so that it needs no locks. Here it keeps what was computed, and has
// whatever is asked for a second time, even while it is being computed, from the first.

#include <muster/core/muster.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

/// Of the Collatz sequence that begins there.
int steps_from(long number) {
    int steps = 0;
    for (; number != 1; ++steps) {
        number = number % 2 == 0 ? number / 2 : 3 * number + 1;
    }
    return steps;
}

class Cache {
public:
    muster::Coroutine<int> steps(long number) {
        if (!known_.contains(number)) {
            known_.emplace(number, muster::task<&steps_from>(number));
        }
        const auto answer = known_.at(number); // the map may change at the next line
        co_return co_await answer;
    }

    [[nodiscard]] std::size_t size() const { return known_.size(); }

private:
    std::map<long, muster::Future<int>> known_;
};

int most_steps(long from) {
    const auto cache = muster::find_actor<Cache>("cache");
    std::vector<muster::Future<int>> all;
    for (long number = from; number < from + 30; ++number) {
        all.push_back(cache.call<&Cache::steps>(number));
    }
    int most = 0;
    for (const auto& one : all) {
        most = std::max(most, one.get());
    }
    return most;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        // Found by its name for as long as the run lasts, though nobody here keeps a handle.
        (void)muster::spawn<Cache>({.name = "cache",
                                    .max_concurrency = 1000,
                                    .threads = 1,
                                    .lifetime = muster::Lifetime::job});
        for (const long from : {1, 10, 20}) {
            std::cout << "from " << from << ": at most " << muster::task<&most_steps>(from).get()
                      << " steps\n";
        }
        const auto cache = muster::find_actor<Cache>("cache");
        // Ahead of every call that has not started.
        std::cout << cache.with({.urgent = true}).call<&Cache::size>().get()
                  << " computed for 90 that were asked for\n";
        muster::kill(cache); // or it would end with the run
    });
}
