#pragma once

#include "wire/actions.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/flat_queue.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace muster::actor {

/// How many calls of an actor are under way at once.
struct Concurrency {
    std::uint32_t calls = 1;   ///< That have started and not ended.
    std::uint32_t threads = 1; ///< Of those: that run. The others are suspended coroutines.
};

/// The actors that live on a rank, as its executors see them: the objects, their calls, and who may
/// run next.
///
/// An executor takes a *turn* of an actor, in which it starts calls one after another by next(),
/// and gives it back. There are as many turns as the actor has threads. A call that is suspended
/// leaves its turn, and needs one to go on; those that go on come before those that have not
/// started, and of these the urgent ones before the others.
///
/// The thread pool and the simulator use the same one. Not synchronised: the caller holds its lock.
class Mailboxes {
public:
    struct Call {
        std::uint32_t depth = 0;
        wire::ReadyTask task;
    };

    /// What an actor's state is, as bytes.
    using Save = Buffer (*)(const void*);

    /// Its constructor has run. `instance` may be null (in the simulator). It is to be saved after
    /// so many calls; 0: never.
    void open(ObjectId actor,
              FunctionId constructor,
              std::shared_ptr<void> instance,
              Concurrency concurrency = {},
              std::uint32_t save_every = 0,
              Save save = nullptr) {
        const auto [place, is_new] = boxes_.try_emplace(actor);
        MUSTER_ASSERT(is_new && concurrency.threads > 0);
        MUSTER_ASSERT(concurrency.threads <= concurrency.calls);
        MUSTER_ASSERT(save_every == 0 || concurrency.calls == 1);
        place->second.instance = std::move(instance);
        place->second.constructor = constructor;
        place->second.number = ++opened_;
        place->second.concurrency = concurrency;
        place->second.save_every = save_every;
        place->second.save = save;
        further_turns_ += concurrency.threads - 1;
    }

    /// A call has run, in a turn that the caller has. @return true if it is to be saved now: then
    /// no other call is under way.
    [[nodiscard]] bool save_due(ObjectId actor) {
        Box& box = boxes_.at(actor);
        return box.save_every > 0 && ++box.unsaved >= box.save_every;
    }

    /// It was saved. Unless this is said, it is to be saved after the next call.
    void saved(ObjectId actor) { boxes_.at(actor).unsaved = 0; }

    [[nodiscard]] Save saver(ObjectId actor) const { return boxes_.at(actor).save; }

    /// @return true if the actor came into the line by this: one more executor may take a turn.
    bool push(wire::EnqueueCall order) {
        Box& box = boxes_.at(order.actor);
        (order.urgent ? box.urgent : box.calls).push_back({order.depth, std::move(order.call)});
        return line_up(order.actor, box);
    }

    /// Lines it up to be destroyed. @return as push().
    bool close(ObjectId actor) {
        Box& box = boxes_.at(actor);
        box.closing = true;
        return line_up(actor, box);
    }

    /// Removes this call. @return false if it has started.
    [[nodiscard]] bool remove(ObjectId actor, TaskId call) {
        const auto box = boxes_.find(actor);
        return box != boxes_.end() &&
               (remove(box->second.urgent, call) || remove(box->second.calls, call));
    }

    /// Actors in line; at most so many may be taken.
    [[nodiscard]] std::size_t waiting() const { return line_.size(); }

    /// Turns that actors have beside their first ones, all together.
    [[nodiscard]] std::size_t further_turns() const { return further_turns_; }

    /// A turn of the actor that has waited longest; none if none has any more to do.
    [[nodiscard]] std::optional<ObjectId> take() {
        while (!line_.empty()) {
            const ObjectId actor = line_.front();
            line_.pop_front();
            Box& box = boxes_.at(actor);
            box.in_line = false;
            if (box.wants_turn()) {
                ++box.turns;
                return actor;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] void* instance(ObjectId actor) const { return boxes_.at(actor).instance.get(); }

    [[nodiscard]] FunctionId constructor(ObjectId actor) const {
        return boxes_.at(actor).constructor;
    }

    /// The next call to start in a turn that the caller has, until ended(). None if there is none,
    /// as many are under way as may be, or a suspended one waits for the turn.
    [[nodiscard]] std::optional<Call> next(ObjectId actor) {
        Box& box = boxes_.at(actor);
        if (!box.may_start() || !box.resuming.empty()) {
            return std::nullopt;
        }
        ++box.started;
        Call call = (box.urgent.empty() ? box.calls : box.urgent).pop_front();
        line_up(actor, box);
        return call;
    }

    /// One more executor may take a turn of it.
    [[nodiscard]] bool in_line(ObjectId actor) const { return boxes_.at(actor).in_line; }

    /// A call that next() gave has ended.
    void ended(ObjectId actor) {
        Box& box = boxes_.at(actor);
        MUSTER_ASSERT(box.started > 0);
        --box.started;
    }

    [[nodiscard]] bool has_next(ObjectId actor) const { return boxes_.at(actor).may_start(); }

    /// A suspended call is to go on. @return true if it has a turn now; else it is given the next
    /// one that is given back.
    [[nodiscard]] bool resume(ObjectId actor, TaskId call) {
        Box& box = boxes_.at(actor);
        if (box.turns < box.concurrency.threads) {
            ++box.turns;
            return true;
        }
        box.resuming.push_back(call);
        return false;
    }

    /// The caller's turn is over. @return the call that goes on with it; if none, the actor may
    /// have come into the line.
    [[nodiscard]] std::optional<TaskId> give_back(ObjectId actor) {
        Box& box = boxes_.at(actor);
        MUSTER_ASSERT(box.turns > 0);
        if (!box.resuming.empty()) {
            return box.resuming.pop_front();
        }
        --box.turns;
        line_up(actor, box);
        return std::nullopt;
    }

    /// True if the actor is to be destroyed now, in the caller's turn.
    [[nodiscard]] bool to_be_destroyed(ObjectId actor) const {
        const Box& box = boxes_.at(actor);
        return box.may_be_destroyed() && box.turns == 1;
    }

    /// Forgets it. @return the object, for its destructor to run.
    [[nodiscard]] std::shared_ptr<void> destroy(ObjectId actor) {
        auto box = boxes_.extract(actor);
        MUSTER_ASSERT(!box.empty());
        if (box.mapped().in_line) {
            std::erase(line_, actor); // for a call that was removed since, or taken in another turn
        }
        further_turns_ -= box.mapped().concurrency.threads - 1;
        return std::move(box.mapped().instance);
    }

    [[nodiscard]] bool empty() const { return boxes_.empty(); }

    /// At the end of the run: all of them, the last made first. Nobody may run any.
    [[nodiscard]] std::vector<ObjectId> all() const {
        std::vector<std::pair<std::uint64_t, ObjectId>> numbered;
        for (const auto& [actor, box] : boxes_) {
            numbered.emplace_back(box.number, actor);
        }
        std::sort(numbered.rbegin(), numbered.rend());
        std::vector<ObjectId> actors;
        for (const auto& [number, actor] : numbered) {
            actors.push_back(actor);
        }
        return actors;
    }

    /// Lets nobody take an actor any more. Calls that are suspended still go on.
    void stop() { line_.clear(); }

private:
    struct Box {
        std::shared_ptr<void> instance;
        FunctionId constructor{};
        std::uint64_t number = 0; ///< Counts up in the order made.
        Concurrency concurrency;
        std::uint32_t save_every = 0;
        std::uint32_t unsaved = 0; ///< Calls since it was saved.
        Save save = nullptr;
        FlatQueue<Call> urgent;
        FlatQueue<Call> calls;
        FlatQueue<TaskId> resuming; ///< Suspended calls that wait for a turn to go on in.
        std::uint32_t started = 0;  ///< Calls that have not ended, suspended or not.
        std::uint32_t turns = 0;    ///< That executors have, or resumed calls.
        bool in_line = false;
        bool closing = false;

        [[nodiscard]] bool may_start() const {
            return started < concurrency.calls && !(urgent.empty() && calls.empty());
        }

        [[nodiscard]] bool may_be_destroyed() const {
            return closing && started == 0 && urgent.empty() && calls.empty();
        }

        [[nodiscard]] bool wants_turn() const {
            return (turns < concurrency.threads && may_start()) ||
                   (turns == 0 && may_be_destroyed());
        }
    };

    [[nodiscard]] static bool remove(FlatQueue<Call>& calls, TaskId call) {
        const auto place = std::find_if(
            calls.begin(), calls.end(), [&](const Call& one) { return one.task.id == call; });
        if (place == calls.end()) {
            return false;
        }
        calls.erase(place);
        return true;
    }

    bool line_up(ObjectId actor, Box& box) {
        if (box.in_line || !box.wants_turn()) {
            return false;
        }
        box.in_line = true;
        line_.push_back(actor);
        return true;
    }

    std::map<ObjectId, Box> boxes_;
    std::deque<ObjectId> line_;
    std::uint64_t opened_ = 0;
    std::size_t further_turns_ = 0;
};

} // namespace muster::actor
