#include "process/zygote.hpp"
#include "runtime/rank_client.hpp"

#include <muster/core/command_task.hpp>
#include <muster/core/task.hpp>
#include <muster/core/this_task.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace muster {
namespace {

constexpr std::chrono::seconds kill_grace{3};

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
            std::condition_variable_any().wait_for(lock, ended, kill_grace, [] { return false; });
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

CommandResult run_command(const CommandSpec& spec, Bytes memory_limit) {
    auto* zygote = dynamic_cast<runtime::RankClient&>(detail::current_client()).zygote();
    if (zygote == nullptr) {
        throw Error("commands cannot be run: this rank's process could not fork the helper that "
                    "starts them (see the warning at the start)");
    }
    auto process = zygote->start(spec, memory_limit).value_or_throw();
    const Stopper stopper(*zygote, process.id(), this_task().stop_token);
    auto result = zygote->wait(process).value_or_throw();
    if (this_task().stop_token.stop_requested()) {
        throw Error("the command was stopped because its task was cancelled", ErrorCode::cancelled);
    }
    return result;
}

} // namespace

Future<CommandResult> CommandTask::operator()() const {
    TaskOptions options = options_;
    // It has a process already; what is left is the limit of its memory.
    const Bytes memory_limit = std::exchange(options.isolate, false) ? options.memory : Bytes{};
    return task<&run_command>.with(std::move(options))(spec_, memory_limit);
}

} // namespace muster
