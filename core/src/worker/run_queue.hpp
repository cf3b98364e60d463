#pragma once

#include "wire/actions.hpp"

#include <muster/base/flat_queue.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace muster::worker {

/// What stands between the worker's decisions and the executors: tasks queued by class.
///
/// An executor that was given a slot of a class calls take() until it gets nothing; then the slot
/// is gone and the caller reports it returned. The thread pool and the simulator use the same one.
/// Not synchronised: the caller holds its lock.
class RunQueue {
public:
    void push(wire::ClassIndex index, wire::ReadyTask task) {
        at(index).tasks.push_back(std::move(task));
    }

    void revoke_slot(wire::ClassIndex index) { ++at(index).revoking; }

    /// The run is ending: from now on only members of gangs are taken, whose others may wait.
    void hold() { held_ = true; }

    /// The next task for the holder of a slot; nothing if the slot is to be returned.
    [[nodiscard]] std::optional<wire::ReadyTask> take(wire::ClassIndex index) {
        ClassQueue& queue = at(index);
        if (queue.revoking > 0 || queue.tasks.empty() ||
            (held_ && queue.tasks.front().gang == nullptr)) {
            queue.revoking -= queue.revoking > 0 ? 1 : 0;
            return std::nullopt;
        }
        return queue.tasks.pop_front();
    }

    [[nodiscard]] bool has_tasks(wire::ClassIndex index) { return !at(index).tasks.empty(); }

    /// Removes up to `count` tasks, the last ones first. @return their ids.
    [[nodiscard]] std::vector<TaskId> take_back(wire::ClassIndex index, std::uint32_t count) {
        std::vector<TaskId> taken;
        ClassQueue& queue = at(index);
        while (count-- > 0 && !queue.tasks.empty()) {
            taken.push_back(queue.tasks.back().id);
            queue.tasks.pop_back();
        }
        return taken;
    }

    /// Removes this task. @return false if it has started.
    [[nodiscard]] bool remove(wire::ClassIndex index, TaskId task) {
        auto& tasks = at(index).tasks;
        const auto place = std::find_if(
            tasks.begin(), tasks.end(), [&](const wire::ReadyTask& t) { return t.id == task; });
        if (place == tasks.end()) {
            return false;
        }
        tasks.erase(place);
        return true;
    }

private:
    struct ClassQueue {
        FlatQueue<wire::ReadyTask> tasks;
        std::uint32_t revoking = 0;
    };

    ClassQueue& at(wire::ClassIndex index) {
        if (index >= classes_.size()) {
            classes_.resize(index + 1);
        }
        return classes_[index];
    }

    std::vector<ClassQueue> classes_;
    bool held_ = false;
};

} // namespace muster::worker
