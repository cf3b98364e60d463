// Programs run as tasks: with resources of their own, spread over the ranks, their output as a
// result. Here each run of a "simulation" (awk) is one command.

#include <muster/core/muster.hpp>

#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        std::vector<muster::Future<muster::CommandResult>> runs;
        for (int seed = 1; seed <= 10; ++seed) {
            runs.push_back(muster::command({"awk",
                                            "BEGIN { for (i = 0; i < 1000; ++i) x += i % " +
                                                std::to_string(seed) + "; print x }"})
                               .with({.cpus = 1, .name = "seed " + std::to_string(seed)})());
        }
        for (std::size_t i = 0; i < runs.size(); ++i) {
            const auto result = runs[i].get();
            if (result.ok()) {
                std::cout << "seed " << i + 1 << ": " << result.out;
            } else {
                std::cout << "seed " << i + 1 << " failed: " << result.err;
            }
        }
    });
}
