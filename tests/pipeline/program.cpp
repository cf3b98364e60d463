// What lost_test.py looks at from outside: pipelines whose ranks are killed, and that are
// interrupted.

#include <muster/core/muster.hpp>
#include <muster/pipeline/pipeline.hpp>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

namespace {

namespace data = muster::data;

/// Kills the first rank but the driver's that comes here; one that comes later finds the sign.
data::Block kill_once(const data::Block& in, const std::string& sign) {
    if (muster::index(muster::cluster().rank) != 0 && in.column<std::int64_t>("id")[0] > 20'000 &&
        !std::filesystem::exists(sign)) {
        std::ofstream(sign) << "killed\n";
        std::raise(SIGKILL);
    }
    return in;
}

/// The numbers below 100,000, shuffled and sorted in many parts: what is lost of any of that is
/// made again.
void sum_in_spite_of_a_death(const std::string& sign) {
    std::int64_t next = 0;
    bool is_in_order = true;
    for (const auto& block : data::range(100'000)
                                 .with({.block_bytes = 8'000})
                                 .random_shuffle(1)
                                 .map_batches<&kill_once>(sign)
                                 .sort({"id"})
                                 .iter_blocks()) {
        for (const std::int64_t id : block.column<std::int64_t>("id")) {
            is_in_order = is_in_order && id == next++;
        }
    }
    std::cout << "died: " << std::filesystem::exists(sign) << ", rows in order: " << is_in_order
              << ' ' << next << std::endl;
}

/// More than anybody waits for.
void run_for_long() {
    std::uint64_t blocks = 0;
    for (const auto& block : data::range(std::int64_t{1} << 40)
                                 .with({.block_bytes = 8'000})
                                 .map_batches<[](const data::Block& in) { return in; }>()
                                 .iter_blocks()) {
        blocks += block.rows() > 0 ? 1U : 0U;
        if (blocks == 100) {
            std::cout << "running" << std::endl;
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        if (argc > 2) {
            sum_in_spite_of_a_death(argv[2]);
        } else {
            run_for_long();
        }
    });
}
