#include "status/sentence.hpp"

#include <muster/base/duration.hpp>

#include <fmt/format.h>

namespace muster::status {
namespace {

std::string why_queued(const wire::TaskStatus& status) {
    if (status.is_call) {
        return "waits for its actor, which has not been made yet, or is being made again";
    }
    if (status.draining) {
        return "is ready, but the run is ending: nothing starts any more";
    }
    if (!status.queued) {
        return "is ready, and on its way to the coordinator";
    }
    return fmt::format(
        "is ready, and waits for {}; {}",
        muster::status::why_queued(*status.queued),
        status.before == 0
            ? std::string("it is the next")
            : fmt::format("{} before it", counted(status.before, "task goes", "tasks go")));
}

} // namespace

std::string explain(const wire::TaskStatus& status,
                    const NameOf& name_of,
                    const std::function<std::string(Rank)>& host_of) {
    using Stage = wire::TaskStatus::Stage;
    if (status.stage == Stage::unknown || status.stage == Stage::unasked) {
        return to_string(status.task) +
               " is not known: its futures are all gone, or its owner's rank was lost";
    }
    const std::string who = called(status.name, status.function, status.task, name_of);
    const std::string where = fmt::format("rank {} ({})", index(status.at), host_of(status.at));
    const char* const call = status.is_call ? "the actor's other calls" : "tasks that run there";
    switch (status.stage) {
    case Stage::done:
        return who + " is done";
    case Stage::failed:
        return who + " has failed: get() says why";
    case Stage::waiting:
        return fmt::format("{} waits for {}: {}",
                           who,
                           counted(status.waiting->missing, "argument", "arguments"),
                           list_missing(*status.waiting, [&](const wire::MissingStatus& one) {
                               return describe(one, name_of);
                           }));
    case Stage::withheld:
        if (status.function == wire::no_function) {
            return who + " waits until there is room for all its bundles at once";
        }
        return who + " waits for the journal to say whether another job computes it";
    case Stage::delayed:
        return fmt::format("{} waits a moment before its next attempt; {} failed",
                           who,
                           counted(status.attempts, "attempt", "attempts"));
    case Stage::queued:
        return who + ' ' + why_queued(status);
    case Stage::sent:
        return fmt::format("{} is on its way to {}", who, where);
    case Stage::fetching:
        return fmt::format(
            "{} is on {}, and waits for its arguments' values to come there", who, where);
    case Stage::held:
        return fmt::format("{} is on {}, behind {}", who, where, call);
    case Stage::running:
        return fmt::format("{} has run on {} for {}", who, where, format_duration(status.age));
    case Stage::blocked:
        return fmt::format("{} has run on {} for {}, and waits for a future",
                           who,
                           where,
                           format_duration(status.age));
    default:
        return who;
    }
}

} // namespace muster::status
