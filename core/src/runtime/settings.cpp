#include "runtime/settings.hpp"

#include "arena/value_memory.hpp"
#include "resources/overrides.hpp"

#include <muster/base/parse.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace muster::runtime {

Result<Settings> read_settings(const slurm::Environment& environment, const RunOptions& options) {
    Settings settings;
    settings.local_ranks = options.local_ranks;
    settings.journal = options.journal;
    settings.program_version = options.program_version;
    if (const auto text = environment.find("MUSTER_JOURNAL")) {
        settings.journal = *text;
    }
    settings.trace = options.trace;
    if (const auto text = environment.find("MUSTER_TRACE")) {
        settings.trace = *text;
    }
    settings.runtime_directory = environment.find("XDG_RUNTIME_DIR").value_or(std::string_view{});
    settings.job = environment.find("SLURM_JOB_ID").value_or(std::string_view{});
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
    const auto size = [&](const char* name, std::optional<Bytes>& target) {
        const auto text = environment.find(name);
        if (!text) {
            return;
        }
        if (*text == "0") {
            target = Bytes{};
        } else if (const auto bytes = parse_bytes(*text)) {
            target = *bytes;
        } else {
            failure = Failure{ErrorCode::usage, fmt::format("{}: {}", name, bytes.error().message)};
        }
    };
    size("MUSTER_OBJECT_MEMORY", settings.object_memory);
    size("MUSTER_SPILL_SIZE", settings.spill_size);
    if (const auto text = environment.find("MUSTER_SPILL_DIRECTORY")) {
        settings.spill_directory = *text;
        if (!settings.spill_directory.empty() &&
            ::access(settings.spill_directory.c_str(), W_OK | X_OK) != 0) {
            failure = Failure{
                ErrorCode::usage,
                fmt::format("MUSTER_SPILL_DIRECTORY is \"{}\": {}", *text, std::strerror(errno))};
        }
    } else {
        settings.spill_directory =
            arena::find_disk({environment.find("SLURM_TMPDIR").value_or(std::string_view{}),
                              environment.find("TMPDIR").value_or(std::string_view{}),
                              "/tmp"});
    }
    number("MUSTER_OBJECT_WAIT", 0, 86'400, settings.object_wait_seconds);
    number("MUSTER_LOCAL_RANKS", 1, 1024, settings.local_ranks);
    number("MUSTER_COORDINATOR", 0, world_size_max - 1, settings.coordinator);
    number("MUSTER_DRIVER_CPUS", 0, 1 << 20, settings.driver_cpus);
    number("MUSTER_HEARTBEAT_TIMEOUT", 0, 3600, settings.heartbeat_timeout);
    number("MUSTER_BIND", 0, 1, settings.bind);
    number("MUSTER_LOOK", 0, 1, settings.looked_at);
    number("MUSTER_PARKED_MAX", 1, 1 << 20, settings.parked_max);
    number("MUSTER_STOP_GRACE", 0, 86'400, settings.stop_grace_seconds);
    if (failure) {
        return *failure;
    }
    return settings;
}

} // namespace muster::runtime
