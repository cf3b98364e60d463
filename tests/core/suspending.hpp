#pragma once

#include "body.hpp"

#include <vector>

/// What bodies about coroutines need: a future that stays open, and to know who waits for it.
namespace muster::test {

/// An actor that counts, for tasks of any rank.
class Count {
public:
    void add(int by) { value_ += by; }

    int value() const { return value_; }

private:
    int value_ = 0;
};

void wait_until(const ActorHandle<Count>& count, int value);

/// A future that has its value, 7, when the test opens it.
class Gate {
public:
    Gate();

    [[nodiscard]] const Future<int>& future() const { return future_; }

    void open() const { cancel(future_); }

private:
    Future<int> future_;
};

/// Waits for the gate, after it has counted itself.
Coroutine<int> add_to(Future<int> gate, ActorHandle<Count> waiting, int own);

/// Fewer than tests keep suspended at once, and more than seven ranks of this process use for
/// themselves: a progress thread, two executors and a few more each.
constexpr int threads_max = 100;

/// Of the process that runs it.
int threads();

/// How many threads each rank's process has when this is made: what other tests of the process have
/// left among them.
class ThreadCounts {
public:
    ThreadCounts();

    /// Not `threads_max` more than then.
    void expect_few_more() const;

private:
    std::vector<int> before_; ///< By rank.
};

/// Has so many tasks wait at once.
void expect_no_thread_for_each_of(int count);

} // namespace muster::test
