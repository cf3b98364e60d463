// One task on the last rank, and its result: what bench/run times from the start of the processes.

#include <muster/core/muster.hpp>

#include <cstdio>

namespace {

int answer() {
    return 42;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        const int last = muster::cluster().ranks - 1;
        const int result = muster::task<&answer>.with({.placement = muster::on_rank(last)})().get();
        std::printf("%d\n", result);
        std::fflush(stdout); // bench/run waits for this line, not for the end
    });
}
