#include "status/words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace muster::status {
namespace {

/// "2 cpus, 0 gpus": what is free of the kinds that are demanded.
std::string free_of(const Resources& demand, const Resources& free) {
    std::string text;
    const auto say = [&](Amount wanted, Amount there, const std::string& kind) {
        if (wanted > Amount{}) {
            text += (text.empty() ? "" : ", ") +
                    (kind == "memory"
                         ? to_string(Bytes{static_cast<std::uint64_t>(there.value())}) + " memory"
                         : fmt::format("{} {}", to_string(there), kind));
        }
    };
    say(demand.cpus, free.cpus, "cpus");
    say(demand.gpus, free.gpus, "gpus");
    say(demand.memory, free.memory, "memory");
    for (const auto& [name, wanted] : demand.custom) {
        const auto place = std::find_if(free.custom.begin(),
                                        free.custom.end(),
                                        [&](const auto& item) { return item.first == name; });
        say(wanted, place == free.custom.end() ? Amount{} : place->second, name);
    }
    return text;
}

} // namespace

std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
        text.insert(static_cast<std::size_t>(at), ",");
    }
    return text;
}

std::string counted(std::uint64_t number, const char* one, const char* many) {
    return grouped(number) + ' ' + (number == 1 ? one : many);
}

std::string
called(const std::string& name, FunctionId function, TaskId task, const NameOf& name_of) {
    // to_string says "task 0:17"
    return fmt::format(
        "{} ({})", name.empty() ? name_of(function) : name, to_string(task).substr(5));
}

std::string why_queued(const wire::QueuedStatus& item) {
    const std::string demand = item.demand == Resources{} ? "no resources" : to_string(item.demand);
    if (item.members > 0) {
        return fmt::format("{} ranks at once with {} each{}; {} now",
                           item.members,
                           demand,
                           item.placement.is_in_group() ? " in a placement group" : "",
                           item.ranks_with_room == 1
                               ? std::string("1 has that")
                               : fmt::format("{} have that", item.ranks_with_room));
    }
    std::string where;
    if (item.placement.kind == Placement::Kind::on_rank) {
        where = fmt::format(" on rank {}", item.placement.target);
    } else if (item.placement.kind == Placement::Kind::on_node) {
        where = fmt::format(" on node {}", item.placement.target);
    } else if (item.placement.is_in_group()) {
        where = item.placement.target >= 0
                    ? fmt::format(" in bundle {} of its placement group", item.placement.target)
                    : std::string(" in a bundle of its placement group");
    }
    if (item.group_waits) {
        return fmt::format("{}{}, which has no place itself", demand, where);
    }
    if (item.ranks_eligible == 0) {
        return fmt::format("{}{}, which no rank has any more", demand, where);
    }
    if (item.ranks_with_room > 0) {
        return fmt::format("{}{}; there is room, but others go first", demand, where);
    }
    if (item.placement.kind == Placement::Kind::on_rank) {
        return fmt::format(
            "{}{}, where {} is free", demand, where, free_of(item.demand, item.free));
    }
    return fmt::format("{}{}; the most that is free is {} on rank {}",
                       demand,
                       where,
                       free_of(item.demand, item.free),
                       index(item.most_free));
}

std::string describe(const wire::GroupStatus& group) {
    return fmt::format("{} ({}, {}): {} in {}, of which {} no place yet",
                       group.name,
                       to_string(group.group).substr(5),
                       to_string(group.strategy),
                       to_string(group.demand),
                       counted(group.bundles, "bundle", "bundles"),
                       group.missing == 1 ? std::string("1 has")
                                          : fmt::format("{} have", grouped(group.missing)));
}

std::string describe(const wire::MissingStatus& item, const NameOf& name_of) {
    using State = wire::MissingStatus::State;
    if (item.state == State::elsewhere) {
        return fmt::format("{}, of rank {}", to_string(item.object), index(item.at));
    }
    const std::string name = called(item.name, item.function, item.object, name_of);
    switch (item.state) {
    case State::waiting:
        return name + ", which waits itself";
    case State::ready:
        return name + ", which is ready";
    default:
        return fmt::format("{}, which is on rank {}", name, index(item.at));
    }
}

std::string list_missing(const wire::WaitingStatus& item,
                         const std::function<std::string(const wire::MissingStatus&)>& describe) {
    std::string missing;
    for (const auto& object : item.first_missing) {
        missing += (missing.empty() ? "" : "; ") + describe(object);
    }
    if (item.missing > item.first_missing.size()) {
        missing += fmt::format("; and {} more", grouped(item.missing - item.first_missing.size()));
    }
    return missing;
}

} // namespace muster::status
