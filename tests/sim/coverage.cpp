#include "coverage.hpp"

namespace muster::sim {
namespace {

constexpr std::array<std::string_view, path_count> names{
    "coordinator is not the driver",
    "early message",
    "recall sent",
    "recall futile",
    "task returned",
    "grant declined",
    "recalled task cancelled",
    "slot revoked",
    "slot bounced",
    "task blocked",
    "resume waited",
    "stop before start",
    "stop while fetching",
    "stop while running",
    "stop too late",
    "cancel elsewhere",
    "future borrowed",
    "future came home",
    "subscribed",
    "object ready waited",
    "value fetched",
    "fetch failed",
    "fetch waited",
    "copy fetched",
    "value lent",
    "value lent unasked",
    "value not mapped",
    "dropped while lent",
    "value delivered",
    "copy dropped",
    "failed by dependency",
    "failed by exception",
    "cancelled before start",
    "window full",
    "frame in pieces",
    "rank stalled",
    "actor borrowed",
    "actor came home",
    "actor put back",
    "call removed",
    "call beside another",
    "call suspended",
    "turn awaited",
    "urgent call overtook",
    "actor for the job",
    "actor killed",
    "call killed",
    "gate closed",
    "constructor failed",
    "name taken",
    "actor found",
    "actor not found",
    "found actor gone",
    "ended early",
    "gang started",
    "gang spans nodes",
    "gang failed",
    "member released",
    "member stopped unstarted",
    "gang failed early",
    "message placed",
    "message in bulk",
    "message withdrawn",
    "message late",
    "attempt timed out",
    "attempt refused",
    "late before start",
    "late while running",
    "task explained",
    "message not to come",
    "group placed",
    "group passed",
    "group asked",
    "group removed",
    "cancelled with group",
    "gang in group",
    "actor in group",
    "device shared",
    "other demand",
    "bundle waited",
    "bundle left in use",
    "rank crashed",
    "coordinator crashed",
    "owner crashed",
    "worker crashed",
    "gang member crashed",
    "actor host crashed",
    "crashed in start",
    "crashed in recovery",
    "crashed in shutdown",
    "rank froze",
    "frozen rank lost",
    "frozen rank ended",
    "rank cut off",
    "machine froze",
    "attempt retried",
    "gang retried",
    "object recomputed",
    "object lost",
    "value lost",
    "failed by system",
    "actor restarted",
    "call interrupted",
    "call replayed",
    "state loaded",
    "group placed again",
    "group failed",
};

static_assert(!names.back().empty());

} // namespace

std::string_view name(Path path) {
    return names[static_cast<std::size_t>(path)];
}

void Statistics::add(const Statistics& other) {
    schedules += other.schedules;
    events += other.events;
    messages += other.messages;
    packets += other.packets;
    tasks += other.tasks;
    attempts += other.attempts;
    actors += other.actors;
    calls += other.calls;
    crashes += other.crashes;
    freezes += other.freezes;
    terms += other.terms;
    for (std::size_t i = 0; i < path_count; ++i) {
        paths[i] += other.paths[i];
    }
}

} // namespace muster::sim
