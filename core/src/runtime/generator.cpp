#include <muster/core/generator.hpp>

#include <fmt/format.h>

namespace muster::detail {

ActorOptions generator_options(const TaskOptions& options, const char* function) {
    const auto refuse = [&](const char* what) {
        throw Error(fmt::format("task {}: a Generator's task cannot have {}", function, what),
                    ErrorCode::usage);
    };
    if (options.ranks != 1 || options.raw_mpi) {
        refuse("`.ranks` or `.raw_mpi`: it runs on one rank");
    }
    if (options.timeout.count() != 0 || options.deadline.count() != 0) {
        refuse("a `.timeout` or `.deadline`: it runs for as long as its values are taken");
    }
    if (options.keyed || !options.key.empty()) {
        refuse("a `.key`: its values are not kept");
    }
    if (options.ahead == 0) {
        refuse("`.ahead = 0`: the value that is waited for is made, too; use 1 or more");
    }
    ActorOptions actor;
    actor.cpus = options.cpus;
    actor.gpus = options.gpus;
    actor.memory = options.memory;
    actor.resources = options.resources;
    actor.priority = options.priority;
    actor.placement = options.placement;
    actor.max_restarts = options.retries;
    actor.isolate = options.isolate;
    return actor;
}

} // namespace muster::detail
