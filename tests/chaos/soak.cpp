// soak <tasks>: warms up, runs so many tasks of several kinds, and sees that no rank's memory grows
// with their number.

#include <muster/core/muster.hpp>

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// The run is ten parts. Memory kept per task grows in each of them; a table that once doubled,
// because more of a batch than ever was under way at once, grows in one. So a rank may grow by no
// more than this in all three of parts 2 to 4, 5 to 7 and 8 to 10, of what malloc() has given out:
// 4 bytes a task in the short run. What is resident is watched for what is mapped beside the heap.
constexpr std::int64_t allocated_growth_max = 256 << 10;
constexpr std::int64_t resident_growth_max = 16 << 20;
constexpr std::size_t parts = 10;
constexpr std::size_t parts_per_window = 3;
constexpr int warm_up_batches = 15;

struct Memory {
    std::int64_t allocated = 0; ///< Bytes that malloc() has given out and not got back.
    std::int64_t resident = 0;
};

Memory memory() {
    std::ifstream file("/proc/self/statm");
    std::int64_t size = 0;
    std::int64_t resident = 0;
    file >> size >> resident;
    const struct mallinfo2 heap = ::mallinfo2();
    return {static_cast<std::int64_t>(heap.uordblks + heap.hblkhd),
            resident * ::sysconf(_SC_PAGESIZE)};
}

// The least by which what is allocated grew in one of the windows.
std::int64_t steady_growth(const std::vector<Memory>& seen) {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (std::size_t from = 0; from + parts_per_window < seen.size(); from += parts_per_window) {
        least = std::min(least, seen[from + parts_per_window].allocated - seen[from].allocated);
    }
    return least;
}

double mebibytes(std::int64_t bytes) {
    return static_cast<double>(bytes) / (1 << 20);
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
    // Of each rank, after each part.
    std::vector<std::vector<Memory>> seen(static_cast<std::size_t>(ranks));
    std::int64_t done = 0;
    int batch = 0;
    while (batch < warm_up_batches) {
        run_batch(adder, batch++); // until what is kept for later use has its size
    }
    for (std::size_t part = 1; part <= parts; ++part) {
        while (done < tasks * static_cast<std::int64_t>(part) / static_cast<std::int64_t>(parts)) {
            done += run_batch(adder, batch++);
        }
        std::cout << std::setw(8) << done
                  << " tasks, MiB allocated of resident, per rank:" << std::fixed
                  << std::setprecision(1);
        for (int rank = 0; rank < ranks; ++rank) {
            const Memory now =
                muster::task<&memory>.with({.placement = muster::on_rank(rank)})().get();
            seen[static_cast<std::size_t>(rank)].push_back(now);
            std::cout << ' ' << mebibytes(now.allocated) << " of " << mebibytes(now.resident);
        }
        std::cout << std::endl;
    }
    int failed = 0;
    for (std::size_t rank = 0; rank < seen.size(); ++rank) {
        const std::int64_t allocated = steady_growth(seen[rank]);
        const std::int64_t resident = seen[rank].back().resident - seen[rank].front().resident;
        if (allocated > allocated_growth_max || resident > resident_growth_max) {
            std::cout << "rank " << rank << " grew by " << (allocated >> 10)
                      << " KiB allocated in every third of the run, " << (resident >> 10)
                      << " KiB resident in all of it; " << (allocated_growth_max >> 10) << " and "
                      << (resident_growth_max >> 10) << " are allowed" << std::endl;
            failed = 1;
        }
    }
    return failed;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] { return soak(argc > 1 ? std::stoll(argv[1]) : 200'000); });
}
