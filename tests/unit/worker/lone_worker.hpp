#pragma once

#include "actions.hpp"
#include "worker/worker.hpp"

#include <cstdint>
#include <vector>

namespace muster::worker {

/// A worker on rank 1 with coordinator 0, owner 2 and holder 3, and what a test tells it.
class LoneWorker {
public:
    explicit LoneWorker(const Resources& capacity)
        : worker_({.self = Rank{1}, .host = "host", .capacity = capacity}),
          store({.self = Rank{1}}) {
        worker_.on_term(Term{1}, Rank{0}, {}, actions);
    }

    /// Tasks `first` to `first + count - 1` of one lease, which has the first one's number.
    void run(const wire::TaskClass& task_class,
             std::uint64_t first,
             std::uint64_t count,
             const std::vector<wire::Dependency>& dependencies = {}) {
        wire::Run message{lease(first), task_class, "", {}, {}, 0};
        for (std::uint64_t i = 0; i < count; ++i) {
            message.tasks.push_back({task(first + i), 1, {}, dependencies});
        }
        worker_.on_run(Rank{2}, std::move(message), store, actions);
    }

    /// What one flush orders, together with what was ordered since the last one.
    wire::Actions flush() {
        worker_.flush(actions);
        worker_.check_invariants();
        return std::exchange(actions, {});
    }

    void finish(std::uint64_t number, std::size_t bytes = 0) {
        worker_.on_attempt_finished(
            {task(number), true, testing::bytes(bytes), {}, std::chrono::microseconds{10}},
            store,
            actions);
        worker_.check_invariants();
    }

    void return_slot(wire::ClassIndex index) {
        worker_.on_slot_returned(index);
        worker_.check_invariants();
    }

    static TaskId task(std::uint64_t number) { return make_object_id(Rank{2}, number); }

    static LeaseId lease(std::uint64_t number) { return make_lease_id(Term{1}, number); }

    Worker* operator->() { return &worker_; }

private:
    Worker worker_;

public:
    store::Store store;
    wire::Actions actions;
};

/// The classes of the slots granted, in order.
inline std::vector<wire::ClassIndex> granted(const wire::Actions& actions) {
    std::vector<wire::ClassIndex> classes;
    for (const auto& order : testing::orders<wire::GrantSlot>(actions)) {
        classes.push_back(order.task_class);
    }
    return classes;
}

inline std::vector<wire::ClassIndex> revoked(const wire::Actions& actions) {
    std::vector<wire::ClassIndex> classes;
    for (const auto& order : testing::orders<wire::RevokeSlot>(actions)) {
        classes.push_back(order.task_class);
    }
    return classes;
}

} // namespace muster::worker
