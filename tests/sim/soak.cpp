// muster_sim_soak --seeds FROM:COUNT: runs random schedules one after another and prints what
// they did. MUSTER_SIM_SEED=N runs that one alone.

#include "random_schedule.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace {

using namespace muster::sim;

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

struct Seeds {
    std::uint64_t first = 1;
    std::uint64_t count = 10'000;
};

std::optional<Seeds> seeds_wanted(int argc, char** argv) {
    if (const char* seed = std::getenv("MUSTER_SIM_SEED"); seed != nullptr && *seed != '\0') {
        const auto first = number(seed);
        return first ? std::optional{Seeds{*first, 1}} : std::nullopt;
    }
    if (argc == 1) {
        return Seeds{};
    }
    if (argc != 3 || std::string_view(argv[1]) != "--seeds") {
        return std::nullopt;
    }
    const std::string_view range = argv[2];
    const std::size_t colon = range.find(':');
    const auto first = number(range.substr(0, colon));
    const auto count = colon == std::string_view::npos ? std::optional<std::uint64_t>{1}
                                                       : number(range.substr(colon + 1));
    return first && count ? std::optional{Seeds{*first, *count}} : std::nullopt;
}

void print(const Statistics& total) {
    fmt::print("{} schedules, {} events, {} messages in {} packets, {} tasks, {} attempts, "
               "{} actors, {} calls\n",
               total.schedules,
               total.events,
               total.messages,
               total.packets,
               total.tasks,
               total.attempts,
               total.actors,
               total.calls);
    for (std::size_t i = 0; i < path_count; ++i) {
        fmt::print("  {:<26}{:>12}\n", name(static_cast<Path>(i)), total.paths[i]);
    }
}

} // namespace

int main(int argc, char** argv) {
    const auto seeds = seeds_wanted(argc, argv);
    if (!seeds) {
        fmt::print(stderr, "usage: muster_sim_soak [--seeds FROM:COUNT], or MUSTER_SIM_SEED=N\n");
        return 2;
    }
    Statistics total;
    std::uint64_t failures = 0;
    for (std::uint64_t i = 0; i < seeds->count; ++i) {
        try {
            total.add(run_schedule(seeds->first + i));
        } catch (const std::exception& failure) {
            ++failures;
            fmt::print(stderr, "{}\n", failure.what());
        }
    }
    print(total);
    if (failures > 0) {
        fmt::print("{} schedules failed\n", failures);
    }
    return failures > 0 ? 1 : 0;
}
