#pragma once

#include "actor/call_queue.hpp"
#include "store/store.hpp"
#include "wire/actions.hpp"
#include "worker/worker.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace muster::actor {

/// The calls of the actors that live on this rank.
///
/// A call is *fetching* until its dependencies are here, then *queued* with the executors, which
/// start an actor's calls in the order queued, the urgent ones first. While a call fetches, later
/// calls of the same order wait behind it; others go ahead.
///
/// An actor is destroyed when its owner says so, or is lost, and nothing runs of it any more.
/// Unless it was killed nobody holds it then, so it has no calls here but those of ranks that were
/// lost. The calls of one that was killed end first: what has not started fails, what runs is asked
/// to stop. Calls that come to an actor that is gone, because their caller has not heard of that
/// yet, fail.
///
/// Pure: no MPI, threads, clock or randomness.
///
/// Invariants, checked by check_invariants():
///   1. A call that waits in a lane stands behind one that is fetching, or is fetching itself.
class Host {
public:
    struct Config {
        Rank self{};
        std::string host;
        std::size_t inline_bytes_max = 1024; ///< Larger results are kept here, to be fetched.
    };

    explicit Host(const Config& config) : config_(config) {}

    /// Its constructor has run here.
    void on_made(ObjectId actor);
    void on_calls(Rank from, wire::ActorCalls message, store::Store& store, wire::Actions& actions);

    /// @return false if the call is not known here.
    bool on_dependency(TaskId call,
                       ObjectId object,
                       const std::optional<Buffer>& value,
                       wire::Actions& actions);
    bool on_stop(const wire::Stop& message, wire::Actions& actions);

    /// @param saved  What the actor's save() gave behind this call, if it was due.
    void on_call_finished(worker::AttemptFinished report,
                          store::Store& store,
                          std::optional<Buffer> saved = std::nullopt);
    /// The executors' answer to StopCall: it has not started and won't.
    void on_call_removed(TaskId call);
    void on_destroy(const wire::ActorDestroy& message, wire::Actions& actions);
    /// Ranks are lost: calls from there are taken back, and actors they own are destroyed once what
    /// runs of them has ended.
    void on_lost(const std::map<Rank, std::string>& lost, wire::Actions& actions);
    void on_destroyed(ObjectId actor);

    /// Sends the results gathered since the last call.
    void flush(wire::Actions& actions);

    /// Says how far the call `status.task` has come here; nothing if it is not here.
    void explain(wire::TaskStatus& status) const;

    [[nodiscard]] std::size_t call_count() const { return calls_.size(); }

    [[nodiscard]] bool empty() const { return calls_.empty() && actors_.empty(); }

    void check_invariants() const;

private:
    using Lane = std::pair<Rank, CallOrder>; ///< And the rank that the calls come from.

    struct Call {
        ObjectId actor{};
        Rank caller{};
        FunctionId function{};
        Lane lane;
        std::uint32_t depth = 0;
        std::uint32_t missing = 0;
        bool queued = false;
        bool replays = false;
        wire::ReadyTask ready;              ///< Until it is queued.
        std::vector<ObjectId> dependencies; ///< Of `ready`, by position; until it is queued.
    };

    struct Actor {
        /// Calls that fetch, and those behind them.
        std::map<Lane, std::deque<TaskId>> lanes;
        std::size_t calls = 0;
        bool ending = false;
        bool killed = false;
        /// Of those that are replayed: have run since it was saved last.
        std::vector<wire::CoveredCall> unsaved;
    };

    /// Those of the calls that are here do not start any more, or are asked to stop.
    void take_back(std::vector<TaskId> calls, wire::Actions& actions);
    void take_back(TaskId call, wire::Actions& actions);

    void enqueue(Call& call, wire::Actions& actions);
    /// Queues what stands first and has everything.
    void advance_lane(Actor& actor, const Lane& lane, wire::Actions& actions);
    void report(TaskId id, const Call& call, wire::Outcome outcome, bool not_run);
    /// Of a call that was taken back before it had started.
    [[nodiscard]] wire::Outcome taken_back(TaskId id, const Call& call) const;
    void fail_waiting(TaskId id, wire::Outcome failure, wire::Actions& actions);
    [[nodiscard]] wire::Outcome failure(TaskId id,
                                        FunctionId function,
                                        wire::FailureRecord::Kind kind,
                                        std::string message) const;

    Config config_;
    std::map<ObjectId, Actor> actors_;
    std::unordered_map<TaskId, Call> calls_;
    std::set<ObjectId> doomed_; ///< To be destroyed once they have no calls.
    std::map<Rank, std::vector<wire::TaskOutcome>> finished_; ///< By caller, until flush().
    std::map<ObjectId, wire::ActorSaved> saved_;              ///< Until flush().
};

} // namespace muster::actor
