#pragma once

#include <muster/base/ids.hpp>

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace muster::actor {

/// Calls that keep an order: those of one context to one actor, the urgent ones and the others each
/// by themselves.
struct CallOrder {
    ObjectId context{};
    bool urgent = false;

    friend auto operator<=>(const CallOrder&, const CallOrder&) = default;
};

/// Calls that may be sent to one host now.
struct SendableCalls {
    ObjectId actor{};
    Rank host{};
    std::vector<TaskId> calls;
};

/// Calls of one context of one actor that are done.
struct DoneCalls {
    ObjectId actor{};
    ObjectId context{};
    std::uint32_t count = 0;
};

/// The calls of actors that this rank has made and not sent: in which order they go, and how many
/// at once.
///
/// Calls of one *context* (the driver, a task, or an actor whose method calls) to one actor are
/// sent in the order made: one whose dependencies are not there yet holds back the later ones of
/// its context, and nobody else's. Calls wait here until the actor is placed, and while as many are
/// under way to it as its credits allow: so a slow actor costs its callers memory, not its host.
///
/// Urgent calls go first, need no credits, and do not wait for earlier calls that are not.
///
/// Pure: no MPI, threads, clock or randomness.
///
/// Invariants, checked by check_invariants():
///   1. No more calls that are not urgent are under way to an actor than `under_way_max`.
///   2. An order is in line exactly if its oldest unsent call is ready.
class CallQueue {
public:
    struct Config {
        std::uint32_t under_way_max = 512; ///< From this rank to one actor.
        std::size_t batch_max = 128;       ///< In one message, and of one context before another.
    };

    explicit CallQueue(Config config) : config_(config) {}

    /// A call was made. It goes behind those of its order with smaller ids: threads that share a
    /// context may make calls at once, and then the later id may come first.
    void add(ObjectId actor, CallOrder order, TaskId call);

    /// Its dependencies are there.
    void ready(ObjectId actor, CallOrder order, TaskId call);

    /// Some of them are not any more, though it was ready.
    void unready(ObjectId actor, CallOrder order, TaskId call);

    /// It has an outcome: after it was sent (this gives its credit back), or without being sent.
    void done(ObjectId actor, CallOrder order, TaskId call);

    /// It was sent, and is to be sent again, before later ones of its order: to where the actor
    /// is placed next. `under_way`: done() was not told of it.
    void again(ObjectId actor, CallOrder order, TaskId call, bool under_way);

    /// As done(), of a call that was sent again though it had been done before.
    void returned(ObjectId actor, CallOrder order, TaskId call);

    /// Where calls of this actor are sent from now on.
    void place(ObjectId actor, Rank host);

    /// Actors on these ranks live there no more: their calls wait until they are placed again.
    void on_lost(const std::map<Rank, std::string>& lost);

    /// The unsent calls of the actor, all contexts.
    [[nodiscard]] std::vector<TaskId> unsent(ObjectId actor) const;

    /// True if the actor has calls here that are not done.
    [[nodiscard]] bool knows(ObjectId actor) const { return targets_.contains(actor); }

    /// The next batch to send; nothing if none may be sent. They count as sent.
    [[nodiscard]] std::optional<SendableCalls> take_sendable();

    /// What done() was told since the last call, of calls that are not urgent.
    [[nodiscard]] std::vector<DoneCalls> take_done();

    [[nodiscard]] bool empty() const { return targets_.empty(); }

    void check_invariants() const;

private:
    /// One order's unsent calls, and whether each is ready.
    using Lane = std::map<TaskId, bool>;

    struct Target {
        std::optional<Rank> host;
        std::uint32_t under_way = 0;
        std::uint32_t urgent_under_way = 0;
        std::map<CallOrder, Lane> lanes;
        std::deque<CallOrder> line;        ///< Those whose oldest call is ready, in turn.
        std::deque<CallOrder> urgent_line; ///< The same of urgent ones.
        bool active = false;               ///< It is in active_.

        [[nodiscard]] std::deque<CallOrder>& line_of(CallOrder order) {
            return order.urgent ? urgent_line : line;
        }

        [[nodiscard]] std::uint32_t& under_way_of(CallOrder order) {
            return order.urgent ? urgent_under_way : under_way;
        }
    };

    /// Its oldest unsent call may be another by this, which is not ready.
    static void insert(Target& target, CallOrder order, TaskId call);
    void line_up(ObjectId actor, Target& target, CallOrder order, const Lane& lane);
    void activate(ObjectId actor, Target& target);
    /// It is not among those unsent, or under way, any more.
    void leave(ObjectId actor, CallOrder order, TaskId call);
    [[nodiscard]] bool may_send(const Target& target) const;

    Config config_;
    std::map<ObjectId, Target> targets_;
    std::deque<ObjectId> active_; ///< Actors that may be sent something, in turn.
    std::map<std::pair<ObjectId, ObjectId>, std::uint32_t> done_; ///< By actor and context.
};

} // namespace muster::actor
