#pragma once

#include "body.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

/// What the bodies about gangs have in common.
namespace muster::test {

/// The largest gang whose members have a CPU each: one on every rank, or two threads of the only
/// one.
[[nodiscard]] inline int largest_gang() {
    return rank_count() == 1 ? 2 : rank_count();
}

/// The sum of one number of each member, by a collective.
[[nodiscard]] inline int sum_over(Communicator& ranks, int value) {
    ranks.all_reduce(std::span(&value, 1));
    return value;
}

/// Tells the driver, which waits for the future, that the caller is there: a gate is a task that
/// ends when it is cancelled.
[[nodiscard]] inline Future<int> new_gate() {
    return task<&wait_for_stop>.with({.cpus = 0, .placement = on_rank(0)})();
}

[[nodiscard]] inline std::vector<Future<int>> new_gates(int count) {
    std::vector<Future<int>> gates;
    for (int i = 0; i < count; ++i) {
        gates.push_back(new_gate());
    }
    return gates;
}

/// Every CPU of every rank is taken, until the futures are cancelled.
[[nodiscard]] inline std::vector<Future<int>> hold_all_ranks() {
    std::vector<Future<int>> gates;
    std::vector<Future<int>> holders;
    for (int rank = 0; rank < rank_count(); ++rank) {
        gates.push_back(new_gate());
        holders.push_back(
            task<[](const Future<int>& gate) {
                cancel(gate);
                return wait_for_stop();
            }>.with({.cpus = 2, .priority = 100, .placement = on_rank(rank)})(gates.back()));
    }
    (void)wait(gates);
    return holders;
}

template <class T>
void cancel_all(std::vector<Future<T>>& futures) {
    for (auto& future : futures) {
        cancel(future);
    }
    (void)wait(futures);
}

template <class T>
TaskError error_of(const Future<T>& future) {
    try {
        (void)future.get();
    } catch (const TaskError& error) {
        return error;
    }
    ADD_FAILURE() << "no exception";
    return TaskError({{}}, ErrorCode::failed);
}

} // namespace muster::test
