#pragma once

#include "actions.hpp"
#include "owner/owner.hpp"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace muster::owner {

/// The owner part of rank 0, with coordinator 1, and what a test tells it.
class LoneOwner {
public:
    LoneOwner() : owner_({.self = Rank{0}, .host = "host"}) {
        owner_.on_term(Rank{1}, {}, actions);
    }

    /// `count` tasks, each with the same dependencies. @return the first one's id.
    TaskId submit(std::uint64_t count, const std::vector<ObjectId>& dependencies = {}) {
        const TaskId first = make_object_id(Rank{0}, next_);
        next_ += count;
        owner_.submit({first,
                       testing::cpu_class(1),
                       "",
                       std::vector<NewTask>(count, NewTask{{}, dependencies}),
                       std::make_shared<int>()},
                      actions);
        owner_.check_invariants();
        return first;
    }

    ObjectId put(std::size_t size, bool kept = false) {
        const ObjectId object = make_object_id(Rank{0}, next_++);
        owner_.put(object, std::make_shared<int>(), value(size, kept), actions);
        return object;
    }

    /// Orders since the last call, with a flush.
    wire::Actions flush() {
        owner_.flush(actions);
        owner_.check_invariants();
        return std::exchange(actions, {});
    }

    void grant(TaskId first, std::uint64_t count, Rank worker = Rank{2}, std::uint64_t lease = 1) {
        owner_.on_grant({make_lease_id(Term{1}, lease), {first, count}, worker, {}}, actions);
        owner_.check_invariants();
    }

    void finish(TaskId task, wire::Outcome outcome, std::uint64_t lease = 1) {
        owner_.on_finished({{{task, make_lease_id(Term{1}, lease), std::move(outcome)}}}, actions);
        owner_.check_invariants();
    }

    void release(ObjectId object) {
        owner_.release(object, actions);
        owner_.check_invariants();
    }

    static wire::Outcome value(std::size_t size, bool kept = false, Rank holder = Rank{0}) {
        wire::Outcome outcome;
        outcome.size = size;
        outcome.kept = kept;
        outcome.holder = holder;
        if (!kept) {
            outcome.value = testing::bytes(size);
        }
        return outcome;
    }

    static wire::Outcome thrown(TaskId task) {
        wire::Outcome outcome;
        outcome.kind = wire::Outcome::Kind::failed;
        outcome.failure.emplace_back();
        outcome.failure.front().task = task;
        return outcome;
    }

    Owner* operator->() { return &owner_; }

private:
    Owner owner_;
    std::uint64_t next_ = 1;

public:
    wire::Actions actions;
};

} // namespace muster::owner
