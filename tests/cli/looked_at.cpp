// A run to look at: something is done, something failed, something runs until somebody opens a pipe
// for writing, and something waits for that.
//
//     looked_at PIPE [TASKS]   TASKS more wait behind it

#include <muster/core/muster.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

int quick(int number) {
    return number + 1;
}

int broken(int number) {
    throw std::runtime_error("number " + std::to_string(number) + " is broken");
}

// Opening it waits for somebody who writes.
int hold(const std::string& pipe) {
    const std::ifstream opened(pipe);
    return opened.is_open() ? 1 : 0;
}

int after(int number) {
    return number + 1;
}

std::vector<std::uint8_t> large(std::uint64_t bytes) {
    return std::vector<std::uint8_t>(bytes, 1);
}

double together(muster::Communicator& ranks) {
    double sum = ranks.rank();
    ranks.all_reduce(std::span(&sum, 1), muster::ReduceOp::sum);
    return sum;
}

int outer(int number) {
    return muster::task<&quick>(number).get();
}

int drive(const std::string& pipe, std::size_t many) {
    std::vector<int> numbers(40);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto done = muster::map<&quick>(numbers);
    for (const auto& one : done) {
        one.get();
    }
    const auto failed = muster::map<&broken>(std::vector<int>{7, 8});
    for (const auto& one : failed) {
        try {
            one.get();
        } catch (const muster::TaskError&) {
            continue;
        }
    }
    muster::task<&outer>(1).get();
    const int ranks = muster::cluster().ranks;
    muster::task<&large>.with({.placement = muster::on_rank(ranks - 1)})(1 << 20).get();
    muster::task<&together>.with({.ranks = std::min(ranks, 2)})().get();
    const auto held = muster::task<&hold>.with({.name = "the \"long\" one"})(pipe);
    const auto waiting = muster::task<&after>(held);
    const std::vector<muster::Future<int>> others =
        muster::map<&after>(std::vector<muster::Future<int>>(many, held), {.name = "others"});
    std::cout << "ready" << std::endl;
    const int result = waiting.get();
    for (const auto& one : others) {
        one.get();
    }
    std::cout << "result " << result << std::endl;
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: looked_at PIPE [TASKS]\n";
        return 2;
    }
    const std::string pipe = argv[1];
    const std::size_t many = argc > 2 ? std::stoul(argv[2]) : 0;
    return muster::run(argc, argv, [&] { return drive(pipe, many); });
}
