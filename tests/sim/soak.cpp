// muster_sim_soak [--faults] --seeds FROM:COUNT: runs random schedules one after another, with
// --faults such as have ranks fail, and prints what they did. MUSTER_SIM_SEED=N runs that one
// alone, and with --trace prints its messages.

#include "random_schedule.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

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

struct Wanted {
    std::uint64_t first = 1;
    std::uint64_t count = 10'000;
    bool faults = false;
    bool trace = false;
};

std::optional<Wanted> parse(std::vector<std::string_view> arguments) {
    Wanted wanted;
    const auto option = [&](std::string_view name) { return std::erase(arguments, name) > 0; };
    wanted.faults = option("--faults");
    wanted.trace = option("--trace");
    if (const char* seed = std::getenv("MUSTER_SIM_SEED"); seed != nullptr && *seed != '\0') {
        const auto first = number(seed);
        return first ? std::optional{Wanted{*first, 1, wanted.faults, wanted.trace}} : std::nullopt;
    }
    if (arguments.empty()) {
        return wanted;
    }
    if (arguments.size() != 2 || arguments[0] != "--seeds") {
        return std::nullopt;
    }
    const std::string_view range = arguments[1];
    const std::size_t colon = range.find(':');
    const auto first = number(range.substr(0, colon));
    const auto count = colon == std::string_view::npos ? std::optional<std::uint64_t>{1}
                                                       : number(range.substr(colon + 1));
    return first && count ? std::optional{Wanted{*first, *count, wanted.faults, wanted.trace}}
                          : std::nullopt;
}

void print(const Statistics& total) {
    fmt::print("{} schedules, {} events, {} messages in {} packets, {} tasks, {} attempts, "
               "{} actors, {} calls; {} crashes, {} freezes, {} terms after losses\n",
               total.schedules,
               total.events,
               total.messages,
               total.packets,
               total.tasks,
               total.attempts,
               total.actors,
               total.calls,
               total.crashes,
               total.freezes,
               total.terms);
    for (std::size_t i = 0; i < path_count; ++i) {
        fmt::print("  {:<26}{:>12}\n", name(static_cast<Path>(i)), total.paths[i]);
    }
}

} // namespace

int main(int argc, char** argv) {
    const auto wanted = parse({argv + 1, argv + argc});
    if (!wanted) {
        fmt::print(stderr,
                   "usage: muster_sim_soak [--faults] [--trace] [--seeds FROM:COUNT], or "
                   "MUSTER_SIM_SEED=N\n");
        return 2;
    }
    Statistics total;
    std::uint64_t failures = 0;
    for (std::uint64_t i = 0; i < wanted->count; ++i) {
        try {
            const std::uint64_t seed = wanted->first + i;
            RandomSchedule schedule = wanted->faults ? fault_schedule(seed) : random_schedule(seed);
            schedule.options.trace = wanted->trace;
            total.add(run(std::move(schedule)));
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
