#pragma once

#include "wire/actions.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/flat_queue.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace muster::actor {

/// The actors that live on a rank, as its executors see them: the objects, their calls, and who may
/// run next. Of one actor one call runs at a time.
///
/// An executor takes an actor, runs its calls one after another by next(), and puts it back. The
/// thread pool and the simulator use the same one. Not synchronised: the caller holds its lock.
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
              std::uint32_t save_every = 0,
              Save save = nullptr) {
        const auto [place, is_new] = boxes_.try_emplace(actor);
        MUSTER_ASSERT(is_new);
        place->second.instance = std::move(instance);
        place->second.constructor = constructor;
        place->second.number = ++opened_;
        place->second.save_every = save_every;
        place->second.save = save;
    }

    /// A call of the taken actor has run. @return true if it is to be saved now.
    [[nodiscard]] bool save_due(ObjectId actor) {
        Box& box = boxes_.at(actor);
        return box.save_every > 0 && ++box.unsaved >= box.save_every;
    }

    /// It was saved. Unless this is said, it is to be saved after the next call.
    void saved(ObjectId actor) { boxes_.at(actor).unsaved = 0; }

    [[nodiscard]] Save saver(ObjectId actor) const { return boxes_.at(actor).save; }

    /// @return true if the actor came into the line by this: one more executor may take one.
    bool push(wire::EnqueueCall order) {
        Box& box = boxes_.at(order.actor);
        box.calls.push_back({order.depth, std::move(order.call)});
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
        if (box == boxes_.end()) {
            return false;
        }
        auto& calls = box->second.calls;
        const auto place = std::find_if(
            calls.begin(), calls.end(), [&](const Call& one) { return one.task.id == call; });
        if (place == calls.end()) {
            return false;
        }
        calls.erase(place);
        return true;
    }

    /// Actors with something to run that nobody runs.
    [[nodiscard]] std::size_t waiting() const { return line_.size(); }

    /// The actor that has waited longest; the caller runs it until put_back() or destroy().
    [[nodiscard]] ObjectId take() {
        const ObjectId actor = line_.front();
        line_.pop_front();
        Box& box = boxes_.at(actor);
        box.in_line = false;
        box.taken = true;
        return actor;
    }

    [[nodiscard]] void* instance(ObjectId actor) const { return boxes_.at(actor).instance.get(); }

    [[nodiscard]] FunctionId constructor(ObjectId actor) const {
        return boxes_.at(actor).constructor;
    }

    [[nodiscard]] std::optional<Call> next(ObjectId actor) {
        auto& calls = boxes_.at(actor).calls;
        if (calls.empty()) {
            return std::nullopt;
        }
        return calls.pop_front();
    }

    [[nodiscard]] bool has_next(ObjectId actor) { return !boxes_.at(actor).calls.empty(); }

    /// The caller runs it no more. @return as push().
    bool put_back(ObjectId actor) {
        Box& box = boxes_.at(actor);
        box.taken = false;
        return line_up(actor, box);
    }

    /// True if the taken actor is to be destroyed now.
    [[nodiscard]] bool to_be_destroyed(ObjectId actor) const {
        const Box& box = boxes_.at(actor);
        return box.closing && box.calls.empty();
    }

    /// Forgets it. @return the object, for its destructor to run.
    [[nodiscard]] std::shared_ptr<void> destroy(ObjectId actor) {
        auto box = boxes_.extract(actor);
        MUSTER_ASSERT(!box.empty());
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

    /// Lets nobody take an actor any more.
    void stop() { line_.clear(); }

private:
    struct Box {
        std::shared_ptr<void> instance;
        FunctionId constructor{};
        std::uint64_t number = 0; ///< Counts up in the order made.
        std::uint32_t save_every = 0;
        std::uint32_t unsaved = 0; ///< Calls since it was saved.
        Save save = nullptr;
        FlatQueue<Call> calls;
        bool in_line = false;
        bool taken = false; ///< An executor runs it.
        bool closing = false;
    };

    bool line_up(ObjectId actor, Box& box) {
        if (box.in_line || box.taken || (box.calls.empty() && !box.closing)) {
            return false;
        }
        box.in_line = true;
        line_.push_back(actor);
        return true;
    }

    std::map<ObjectId, Box> boxes_;
    std::deque<ObjectId> line_;
    std::uint64_t opened_ = 0;
};

} // namespace muster::actor
