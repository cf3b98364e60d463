#include "process/zygote.hpp"
#include "runtime/rank_client.hpp"

#include <muster/core/command_task.hpp>
#include <muster/core/task.hpp>
#include <muster/core/this_task.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace muster {
namespace {

/// Ends a command when its task is asked to stop: SIGTERM, and SIGKILL if that does not do.
class Stopper {
public:
    Stopper(process::Zygote& zygote, process::CommandId command, const std::stop_token& token)
        : zygote_(zygote), command_(command), callback_(token, [this] { stop(); }) {}

private:
    void stop() {
        zygote_.signal(command_, SIGTERM);
        killer_.emplace([this](const std::stop_token& ended) {
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any().wait_for(
                lock, ended, process::Zygote::kill_grace, [] { return false; });
            if (!ended.stop_requested()) {
                zygote_.signal(command_, SIGKILL);
            }
        });
    }

    process::Zygote& zygote_;
    process::CommandId command_;
    std::optional<std::jthread> killer_; ///< Outlives the callback: declared before it.
    std::stop_callback<std::function<void()>> callback_;
};

/// What the task was granted is what the command sees, unless its specification says otherwise.
CommandSpec with_granted(CommandSpec spec, const runtime::Granted& granted) {
    const auto set = [&](const char* name, std::string value) {
        if (std::none_of(spec.environment.begin(), spec.environment.end(), [&](const auto& own) {
                return own.first == name;
            })) {
            spec.environment.emplace_back(name, std::move(value));
        }
    };
    if (granted.hides_gpus) {
        set("CUDA_VISIBLE_DEVICES", runtime::visible_devices(granted));
    }
    if (granted.threads > 0) {
        set("OMP_NUM_THREADS", std::to_string(granted.threads));
    }
    if (spec.cpu_ids.empty() && granted.bound) {
        spec.cpu_ids = granted.cpus;
    }
    return spec;
}

CommandResult run_command(const CommandSpec& spec, Bytes memory_limit) {
    return run_here(spec, {}, {.memory = memory_limit});
}

} // namespace

CommandResult
run_here(const CommandSpec& wanted, const CommandOutput& on_output, const CommandLimits& limits) {
    if (detail::current_task() == nullptr) {
        throw UsageError("run_here() runs a command in a task, and this thread runs none: use "
                         "command() in the driver");
    }
    auto& client = dynamic_cast<runtime::RankClient&>(detail::current_client());
    auto* zygote = client.zygote();
    if (zygote == nullptr) {
        throw Error("commands cannot be run: this rank's process could not fork the helper that "
                    "starts them (see the warning at the start)");
    }
    const CommandSpec spec = with_granted(wanted, client.granted(*detail::current_task()));
    auto process = zygote->start(spec, limits.memory).value_or_throw();
    const Stopper stopper(*zygote, process.id(), this_task().stop_token);
    auto result = zygote->wait(process, on_output, limits.timeout).value_or_throw();
    if (this_task().stop_token.stop_requested()) {
        throw Error("the command was stopped because its task was cancelled", ErrorCode::cancelled);
    }
    return result;
}

Future<CommandResult> CommandTask::operator()() const {
    TaskOptions options = options_;
    // It has a process already; what is left is the limit of its memory.
    const Bytes memory_limit = std::exchange(options.isolate, false) ? options.memory : Bytes{};
    return task<&run_command>.with(std::move(options))(spec_, memory_limit);
}

} // namespace muster
