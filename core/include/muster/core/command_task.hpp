#pragma once

#include <muster/core/command.hpp>
#include <muster/core/future.hpp>
#include <muster/core/options.hpp>

#include <string>
#include <utility>
#include <vector>

namespace muster {

/// A command to be run as a task; see command().
class CommandTask {
public:
    explicit CommandTask(CommandSpec spec, TaskOptions options = {})
        : spec_(std::move(spec)), options_(std::move(options)) {}

    [[nodiscard]] CommandTask with(TaskOptions options) const {
        return CommandTask(spec_, std::move(options));
    }

    /// Submits it. The future fails only if the command could not be started or was cancelled: an
    /// exit code other than zero, or death by a signal, is in the result.
    [[nodiscard]] Future<CommandResult> operator()() const;

private:
    CommandSpec spec_;
    TaskOptions options_;
};

/// Runs a program on some rank, with the resources its options ask for:
///
///     auto run = muster::command({"./sim", "--seed", "3"}).with({.cpus = 4})();
///     std::cout << run.get().out;
///
/// Arguments go to the program as they are, through no shell. Its output comes back in the result.
/// On cancellation its process group gets SIGTERM, and SIGKILL a few seconds later.
inline CommandTask command(std::vector<std::string> argv) {
    CommandSpec spec;
    spec.argv = std::move(argv);
    return CommandTask(std::move(spec));
}

/// The same with environment, directory, input and output limits.
inline CommandTask command(CommandSpec spec) {
    return CommandTask(std::move(spec));
}

/// Runs a program from inside a task, on the task's rank and with what it was granted, and waits:
/// for tasks that do more than one command, or want its output as it comes.
///
/// @param on_output  Hears all that it writes; the result has the end of it in any case.
/// @throws Error if it cannot be started, exceeds its memory, or (cancelled) was stopped with its
///         task; Error (usage) outside a task.
CommandResult run_here(const CommandSpec& spec,
                       const CommandOutput& on_output = {},
                       const CommandLimits& limits = {});

} // namespace muster
