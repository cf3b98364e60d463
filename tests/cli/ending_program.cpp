#include <muster/core/muster.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

namespace {

void wait_until_stopped() {
    const auto stop = muster::this_task().stop_token;
    while (!stop.stop_requested()) {
        std::this_thread::yield();
    }
}

} // namespace

/// ending_program CODE: a Muster program that ends with it; "wait": when it is asked to; "usage":
/// with a complaint; "abort": rank 0 dies.
int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        const std::string word = argc > 1 ? argv[1] : "0";
        const auto cluster = muster::cluster();
        std::cout << "ranks " << cluster.ranks << " survive "
                  << cluster.survives_lost_ranks.value_or(false) << std::endl;
        if (word == "wait") {
            muster::task<&wait_until_stopped>().get();
        }
        if (word == "usage") {
            throw muster::UsageError("no such option");
        }
        if (word == "abort") {
            std::abort();
        }
        return std::atoi(word.c_str());
    });
}
