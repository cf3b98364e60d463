#include "trace.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <variant>

namespace muster::sim {
namespace {

std::string text(const wire::Range& range) {
    return range.count == 1 ? to_string(range.first)
                            : fmt::format("{}+{}", to_string(range.first), range.count);
}

std::string text(const wire::Outcome& outcome) {
    if (outcome.kind == wire::Outcome::Kind::failed) {
        return "failed: " + outcome.failure.front().message;
    }
    return outcome.kept ? "kept by " + to_string(outcome.holder) : "value";
}

template <class T, class F>
std::string list(std::string head, const std::vector<T>& items, F&& one) {
    for (const T& item : items) {
        head += " " + one(item);
    }
    return head;
}

struct Describe {
    std::string operator()(const wire::CoordinatorElected& m) const {
        return list(
            fmt::format("Elected {} for term {}, lost:", to_string(m.coordinator), number(m.term)),
            m.lost,
            [](Rank rank) { return to_string(rank); });
    }

    std::string operator()(const wire::Register& m) const {
        return list("Register", m.held, [](const wire::HeldClass& held) {
            return list(fmt::format("[{} slots", held.slots),
                        held.leases,
                        [](const wire::HeldLease& one) {
                            return fmt::format(
                                "{}:{}/{}", to_string(one.lease), one.tasks, one.lent);
                        }) +
                   "]";
        });
    }

    std::string operator()(const wire::Submit& m) const {
        return list(fmt::format("Submit{}{}",
                                m.task_class.ranks > 0 ? " gangs" : "",
                                m.task_class.actor ? " actors" : ""),
                    m.ranges,
                    [](const wire::Range& range) { return text(range); });
    }

    std::string operator()(const wire::Grant& m) const {
        const auto members = m.members.empty() ? std::vector{m.worker} : m.members;
        return list(fmt::format("Grant {} {} to", to_string(m.lease), text(m.range)),
                    members,
                    [](Rank rank) { return to_string(rank); });
    }

    std::string operator()(const wire::Run& m) const {
        return list("Run " + to_string(m.lease), m.tasks, [](const wire::TaskSpec& task) {
            return to_string(task.id);
        });
    }

    std::string operator()(const wire::Finished& m) const {
        return list("Finished", m.tasks, [](const wire::TaskOutcome& task) {
            return fmt::format(
                "{} under {} ({})", to_string(task.id), to_string(task.lease), text(task.outcome));
        });
    }

    std::string operator()(const wire::Progress& m) const {
        return list("Progress", m.leases, [](const wire::LeaseProgress& lease) {
            return fmt::format("{}:{}", to_string(lease.lease), lease.finished);
        });
    }

    std::string operator()(const wire::Recall& m) const {
        return fmt::format("Recall {}", m.count);
    }

    std::string operator()(const wire::Returned& m) const {
        return list("Returned", m.tasks, leased);
    }

    std::string operator()(const wire::Lent& m) const {
        return fmt::format("{} {}", m.resumed ? "Resumed" : "Lent", to_string(m.lease));
    }

    std::string operator()(const wire::Confirm& m) const {
        return list("Confirm", m.tasks, [](const wire::LeasedRange& one) {
            return fmt::format("{} under {}", text(one.range), to_string(one.lease));
        });
    }

    std::string operator()(const wire::NotHere& m) const {
        return list("NotHere", m.tasks, leased);
    }

    std::string operator()(const wire::Stop& m) const {
        return fmt::format("Stop {} under {}", to_string(m.task), to_string(m.lease));
    }

    std::string operator()(const wire::Cancel& m) const { return "Cancel " + to_string(m.task); }

    std::string operator()(const wire::Free& m) const { return "Free " + to_string(m.object); }

    std::string operator()(const wire::Subscribe& m) const {
        return "Subscribe " + to_string(m.object);
    }

    std::string operator()(const wire::ObjectReady& m) const {
        return fmt::format("ObjectReady {} ({})", to_string(m.object), text(m.outcome));
    }

    std::string operator()(const wire::Fetch& m) const { return "Fetch " + to_string(m.object); }

    std::string operator()(const wire::FetchStarted& m) const {
        return "FetchStarted " + to_string(m.object);
    }

    std::string operator()(const wire::FetchFailed& m) const {
        return "FetchFailed " + to_string(m.object);
    }

    std::string operator()(const wire::FetchLent& m) const {
        return "FetchLent " + to_string(m.object);
    }

    std::string operator()(const wire::LoanEnded& m) const {
        return "LoanEnded " + std::to_string(m.transfer);
    }

    std::string operator()(const wire::Drop& m) const {
        return list("Drop", m.objects, [](ObjectId object) { return to_string(object); });
    }

    std::string operator()(const wire::GangFailed& m) const {
        return fmt::format(
            "GangFailed {} member {}: {}", to_string(m.gang), m.member, m.failure.message);
    }

    std::string operator()(const wire::ActorCalls& m) const {
        return list("ActorCalls " + to_string(m.actor), m.calls, [](const wire::ActorCall& call) {
            return to_string(call.spec.id);
        });
    }

    std::string operator()(const wire::ActorBorrow& m) const {
        return "ActorBorrow " + to_string(m.actor);
    }

    std::string operator()(const wire::ActorKnown& m) const {
        return fmt::format("ActorKnown {}{}", to_string(m.actor), m.gone ? ", gone" : "");
    }

    std::string operator()(const wire::ActorPlaced& m) const {
        return fmt::format("ActorPlaced {} on {} ({})",
                           to_string(m.actor),
                           to_string(m.outcome.holder),
                           text(m.outcome));
    }

    std::string operator()(const wire::ActorReleased& m) const {
        return "ActorReleased " + to_string(m.actor);
    }

    std::string operator()(const wire::ActorDestroy& m) const {
        return fmt::format("ActorDestroy {}{}", to_string(m.actor), m.killed ? ", killed" : "");
    }

    std::string operator()(const wire::ActorKill& m) const {
        return "ActorKill " + to_string(m.actor);
    }

    std::string operator()(const wire::ClusterFormed& /*m*/) const { return "ClusterFormed"; }

    std::string operator()(const wire::Infeasible& m) const {
        return list("Infeasible", m.tasks, [](const wire::Range& range) { return text(range); });
    }

    std::string operator()(const wire::Expelled& /*m*/) const { return "Expelled"; }

    std::string operator()(const wire::Shutdown& /*m*/) const { return "Shutdown"; }

    std::string operator()(const wire::Goodbye& /*m*/) const { return "Goodbye"; }

    std::string operator()(const wire::Leave& /*m*/) const { return "Leave"; }

    static std::string leased(const wire::ReturnedTask& one) {
        return fmt::format("{} under {}", to_string(one.task), to_string(one.lease));
    }
};

} // namespace

void print_message(TimePoint when, Rank from, Rank to, Term term, const wire::Message& message) {
    if (std::holds_alternative<wire::Heartbeat>(message)) {
        return;
    }
    const std::string what = std::visit(
        [&]<class M>(const M& content) {
            if constexpr (requires { Describe{}(content); }) {
                return Describe{}(content);
            } else {
                return fmt::format("message {}", message.index());
            }
        },
        message);
    fmt::print(stderr,
               "{:>10} us, term {}: {} to {}: {}\n",
               when.time_since_epoch() / std::chrono::microseconds{1},
               number(term),
               to_string(from),
               to_string(to),
               what);
}

} // namespace muster::sim
