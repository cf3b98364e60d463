// soak <tasks>: warms up, runs so many tasks of several kinds, and sees that no rank's memory grows
// once the first tenth is done.

#include <muster/core/muster.hpp>

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// What a rank may grow by after the first tenth. How much of a batch is under way at once varies by
// less (with MALLOC_ARENA_MAX=1); what is kept per task shows at 3 bytes each after 2 million.
constexpr std::int64_t growth_bytes_max = 5 << 20;
constexpr int warm_up_batches = 15;

std::int64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::int64_t size = 0;
    std::int64_t resident = 0;
    file >> size >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
}

int add_one(int x) {
    return x + 1;
}

std::vector<int> make(int size) {
    return std::vector<int>(static_cast<std::size_t>(size), size);
}

int size_of(const std::vector<int>& values) {
    return static_cast<int>(values.size());
}

int nested(int x) {
    return muster::task<&add_one>(x).get() + 1;
}

int fails(int x) {
    throw std::runtime_error("as it should: " + std::to_string(x));
}

class Adder {
public:
    int add(int x) {
        sum_ += x;
        return sum_;
    }

private:
    int sum_ = 0;
};

// One batch; @return how many tasks it ran.
std::int64_t run_batch(const muster::ActorHandle<Adder>& adder, int batch) {
    std::int64_t done = 0;
    const auto check = [&](bool right, const char* what) {
        ++done;
        if (!right) {
            throw std::runtime_error(std::string(what) + " gave a wrong result");
        }
    };
    for (auto& future : muster::map<&add_one>(std::views::iota(0, 8'000))) {
        check(future.get() > 0, "a map");
    }
    std::vector<muster::Future<int>> singles;
    for (int i = 0; i < 1'000; ++i) {
        singles.push_back(muster::task<&add_one>(muster::task<&add_one>(i)));
        ++done; // the inner one
    }
    for (int i = 0; i < 1'000; ++i) {
        check(singles[static_cast<std::size_t>(i)].get() == i + 2, "a chain of two");
    }
    std::vector<muster::Future<int>> others;
    for (int i = 0; i < 100; ++i) {
        others.push_back(muster::task<&nested>(i));
        others.push_back(muster::task<&size_of>(muster::task<&make>(3'000 + i)));
        others.push_back(adder.call<&Adder::add>(1));
        done += 2; // the inner ones
    }
    for (auto& future : others) {
        check(future.get() > 0, "another task");
    }
    const auto shared = muster::put(make(10'000 + batch));
    for (int rank = 0; rank < muster::cluster().ranks; ++rank) {
        check(muster::task<&size_of>.with({.placement = muster::on_rank(rank)})(shared).get() ==
                  10'000 + batch,
              "a shared value");
    }
    const auto failing = muster::task<&fails>(batch);
    try {
        failing.get();
        check(false, "a task that throws");
    } catch (const muster::TaskError&) {
        check(true, "");
    }
    return done;
}

int soak(std::int64_t tasks) {
    const int ranks = muster::cluster().ranks;
    const auto adder = muster::spawn<Adder>({});
    std::vector<std::int64_t> first(static_cast<std::size_t>(ranks));
    std::int64_t largest_growth = 0;
    std::int64_t done = 0;
    int batch = 0;
    while (batch < warm_up_batches) {
        run_batch(adder, batch++); // until what is kept for later use has its size
    }
    for (int tenth = 1; tenth <= 10; ++tenth) {
        while (done < tasks * tenth / 10) {
            done += run_batch(adder, batch++);
        }
        std::cout << std::setw(8) << done << " tasks, MiB per rank:" << std::fixed
                  << std::setprecision(1);
        for (int rank = 0; rank < ranks; ++rank) {
            const std::int64_t bytes =
                muster::task<&resident_bytes>.with({.placement = muster::on_rank(rank)})().get();
            auto& base = first[static_cast<std::size_t>(rank)];
            base = tenth == 1 ? bytes : base;
            largest_growth = std::max(largest_growth, bytes - base);
            std::cout << ' ' << static_cast<double>(bytes) / (1 << 20);
        }
        std::cout << std::endl;
    }
    if (largest_growth > growth_bytes_max) {
        std::cout << "a rank grew by " << (largest_growth >> 10) << " KiB after the first tenth; "
                  << (growth_bytes_max >> 10) << " are allowed" << std::endl;
        return 1;
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] { return soak(argc > 1 ? std::stoll(argv[1]) : 200'000); });
}
