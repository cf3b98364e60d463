#include "runtime/settings.hpp"

#include "resources/overrides.hpp"

#include <fmt/format.h>

namespace muster::runtime {

Result<Settings> read_settings(const slurm::Environment& environment, const RunOptions& options) {
    Settings settings;
    settings.local_ranks = options.local_ranks;
    settings.journal = options.journal;
    settings.program_version = options.program_version;
    if (const auto text = environment.find("MUSTER_JOURNAL")) {
        settings.journal = *text;
    }
    if (const auto text = environment.find("MUSTER_PROGRAM_VERSION")) {
        settings.program_version = *text;
    }
    std::optional<Failure> failure;

    if (const auto text = environment.find("MUSTER_LOG");
        text && !log::parse_level(*text, settings.log_level)) {
        failure = Failure{
            ErrorCode::usage,
            fmt::format("MUSTER_LOG is \"{}\"; it is one of error, warn, info, debug", *text)};
    }
    const auto number = [&](const char* name, std::int32_t low, std::int32_t high, auto& target) {
        const auto text = environment.find(name);
        if (!text) {
            return;
        }
        const auto value = environment.number<std::int32_t>(name);
        if (!value || *value < low || *value > high) {
            failure = Failure{
                ErrorCode::usage,
                fmt::format("{} is \"{}\"; it is a number from {} to {}", name, *text, low, high)};
            return;
        }
        target = static_cast<std::remove_reference_t<decltype(target)>>(*value);
    };
    if (const auto text = environment.find("MUSTER_OBJECT_MEMORY")) {
        if (*text == "0") {
            settings.object_memory = Bytes{};
        } else if (const auto bytes = resources::parse_bytes(*text)) {
            settings.object_memory = *bytes;
        } else {
            failure = Failure{ErrorCode::usage,
                              fmt::format("MUSTER_OBJECT_MEMORY: {}", bytes.error().message)};
        }
    }
    number("MUSTER_LOCAL_RANKS", 1, 1024, settings.local_ranks);
    number("MUSTER_COORDINATOR", 0, world_size_max - 1, settings.coordinator);
    number("MUSTER_DRIVER_CPUS", 0, 1 << 20, settings.driver_cpus);
    number("MUSTER_HEARTBEAT_TIMEOUT", 0, 3600, settings.heartbeat_timeout);
    number("MUSTER_PARKED_MAX", 1, 1 << 20, settings.parked_max);
    number("MUSTER_STOP_GRACE", 0, 86'400, settings.stop_grace_seconds);
    if (failure) {
        return *failure;
    }
    return settings;
}

} // namespace muster::runtime
