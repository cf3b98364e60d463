#include "suspending.hpp"

#include <fstream>
#include <string>

namespace muster::test {
namespace {

int seven_after_stop(const ActorHandle<Count>& started) {
    started.call<&Count::add>(1);
    (void)wait_for_stop();
    return 7;
}

} // namespace

void wait_until(const ActorHandle<Count>& count, int value) {
    while (count.call<&Count::value>().get() < value) {
    }
}

Gate::Gate() {
    const auto started = spawn<Count>({});
    future_ = task<&seven_after_stop>.with({.cpus = 0})(started);
    wait_until(started, 1);
}

Coroutine<int> add_to(Future<int> gate, ActorHandle<Count> waiting, int own) {
    waiting.call<&Count::add>(1);
    const int value = co_await gate;
    co_return own + value;
}

int threads() {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word && word != "Threads:") {
    }
    int count = 0;
    status >> count;
    return count;
}

ThreadCounts::ThreadCounts() {
    for (int rank = 0; rank < rank_count(); ++rank) {
        before_.push_back(task<&threads>.with({.cpus = 0, .placement = on_rank(rank)})().get());
    }
}

void ThreadCounts::expect_few_more() const {
    const ThreadCounts now;
    for (std::size_t rank = 0; rank < before_.size(); ++rank) {
        EXPECT_GT(now.before_[rank], 0);
        EXPECT_LT(now.before_[rank], before_[rank] + threads_max) << "on rank " << rank;
    }
}

void expect_no_thread_for_each_of(int count) {
    const ThreadCounts counts;
    const Gate gate;
    const auto waiting = spawn<Count>({});
    std::vector<Future<int>> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(task<&add_to>(gate.future(), waiting, i));
    }
    wait_until(waiting, count);
    counts.expect_few_more();
    EXPECT_EQ(wait(all, {.count = 1, .timeout = std::chrono::nanoseconds(0)}).done.size(), 0U);
    gate.open();
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(all[static_cast<std::size_t>(i)].get(), i + 7);
    }
    counts.expect_few_more();
}

} // namespace muster::test
