// Gangs that go wrong: everybody is released, and the error names the member that began it.

#include "gangs.hpp"

#include <new>
#include <stdexcept>
#include <utility>

namespace muster::test {
namespace {

/// How the others wait for the one that fails.
enum class Waiting { in_barrier, in_all_reduce, in_receive, in_large_send, in_result, computing };

constexpr Waiting ways[]{Waiting::in_barrier,
                         Waiting::in_all_reduce,
                         Waiting::in_receive,
                         Waiting::in_large_send,
                         Waiting::in_result,
                         Waiting::computing};

int wait_for(Communicator& ranks, int member, Waiting way) {
    std::vector<double> large(100'000);
    switch (way) {
    case Waiting::in_barrier:
        ranks.barrier();
        break;
    case Waiting::in_all_reduce:
        ranks.all_reduce(std::span(large));
        break;
    case Waiting::in_receive:
        ranks.receive(std::span(large), member);
        break;
    case Waiting::in_large_send:
        ranks.send(std::span<const double>(large), member);
        break;
    case Waiting::in_result:
        break;
    case Waiting::computing:
        return wait_for_stop();
    }
    return ranks.rank();
}

int fail_in(Communicator& ranks, int member, Waiting way) {
    if (ranks.rank() == member) {
        throw std::domain_error("member " + std::to_string(member) + " is out of paper");
    }
    return wait_for(ranks, member, way);
}

int fail_at_once(Communicator& ranks, int member, const std::vector<double>& large) {
    if (ranks.rank() == member) {
        throw std::domain_error("member " + std::to_string(member) + " is out of paper");
    }
    ranks.barrier();
    return static_cast<int>(large.size());
}

/// Each member opens its gate, and then waits for one that never comes.
int open_gate_and_wait(Communicator& ranks, const std::vector<Future<int>>& gates, Waiting way) {
    cancel(gates.at(static_cast<std::size_t>(ranks.rank())));
    if (ranks.rank() == ranks.size() - 1) {
        return wait_for_stop();
    }
    return wait_for(ranks, ranks.size() - 1, way);
}

int add_up(Communicator& ranks, int value) {
    return sum_over(ranks, value);
}

void expect_still_works() {
    const int n = largest_gang();
    EXPECT_EQ(task<&add_up>.with({.ranks = n})(2).get(),
              std::vector<int>(static_cast<std::size_t>(n), 2 * n));
}

template <class T>
void expect_from_member(const Future<T>& gang, int member) {
    const TaskError error = error_of(gang);
    const std::string text = error.what();
    EXPECT_EQ(error.code(), ErrorCode::task_failed) << text;
    ASSERT_EQ(error.chain().size(), 1U) << text;
    const TaskFailure& cause = error.root_cause();
    EXPECT_EQ(cause.member, member) << text;
    EXPECT_EQ(cause.message, "member " + std::to_string(member) + " is out of paper") << text;
    EXPECT_EQ(cause.id, gang.id()) << text;
    EXPECT_EQ(cause.attempt, 1U) << text;
    EXPECT_TRUE(contains(text, ", member " + std::to_string(member) + ", attempt 1, on rank "))
        << text;
    if (rank_count() > 1 && largest_gang() == rank_count()) {
        EXPECT_TRUE(contains(text, "on " + to_string(cause.rank))) << text;
    }
    EXPECT_THROW(error.rethrow_cause(), std::domain_error);
}

} // namespace

MUSTER_BODY(AMemberThatThrowsReleasesTheOthersWhateverTheyWaitIn) {
    const int n = largest_gang();
    for (const Waiting way : ways) {
        for (int member = 0; member < n; ++member) {
            expect_from_member(task<&fail_in>.with({.ranks = n})(member, way), member);
        }
    }
    expect_still_works();
}

MUSTER_BODY(ManyGangsMayFailAtOnce) {
    const int n = largest_gang();
    std::vector<std::pair<Future<std::vector<int>>, int>> gangs;
    for (int i = 0; i < 60; ++i) {
        gangs.emplace_back(task<&fail_in>.with({.cpus = 0.25, .ranks = n})(
                               i % n, ways[static_cast<std::size_t>(i) % std::size(ways)]),
                           i % n);
    }
    for (const auto& [gang, member] : gangs) {
        expect_from_member(gang, member);
    }
    expect_still_works();
}

MUSTER_BODY(AMemberThatThrowsBeforeOthersHaveTheirArgumentsReleasesThem) {
    // The driver's rank has the argument already, the others fetch it.
    const auto large = put(std::vector<double>(200'000));
    for (int member = 0; member < largest_gang(); ++member) {
        expect_from_member(task<&fail_at_once>.with({.ranks = largest_gang()})(member, large),
                           member);
    }
    expect_still_works();
}

MUSTER_BODY(AMemberThatCatchesTheEndOfItsGangCannotHideIt) {
    const auto gang = task<[](Communicator& ranks) {
                          if (ranks.rank() == ranks.size() - 1) {
                              throw std::domain_error("member " + std::to_string(ranks.rank()) +
                                                      " is out of paper");
                          }
                          std::string why;
                          try {
                              ranks.barrier();
                          } catch (const Error& error) {
                              why = error.what();
                          }
                          return why;
                      }>.with({.ranks = largest_gang()})();
    expect_from_member(gang, largest_gang() - 1);
}

MUSTER_BODY(TheReleasedLearnWhoFailed) {
    // What they were told travels by a future that they were given.
    const int n = largest_gang();
    const auto text = task<[](int size) {
                          std::string told;
                          const auto gang =
                              task<[](Communicator& ranks) -> int {
                                  if (ranks.rank() == 0) {
                                      throw std::out_of_range("no such page");
                                  }
                                  try {
                                      ranks.barrier();
                                  } catch (const Error& error) {
                                      // The second failure of the gang; it must not win over the
                                      // first.
                                      throw std::logic_error(std::string("told: ") + error.what());
                                  }
                                  return 0;
                              }>.with({.cpus = 0.5, .ranks = size})();
                          try {
                              (void)gang.get();
                          } catch (const TaskError& error) {
                              told = error.what();
                          }
                          return told;
                      }>.with({.cpus = 0.5})(n)
                          .get();
    EXPECT_TRUE(contains(text, "member 0")) << text;
    EXPECT_TRUE(contains(text, "no such page")) << text;
    EXPECT_FALSE(contains(text, "told")) << text;
}

MUSTER_BODY(AMemberThatThrowsWithRequestsUnderWayReleasesTheOthers) {
    const int n = largest_gang();
    for (int kind = 0; kind < 4; ++kind) {
        const auto gang =
            task<[](Communicator& ranks, int which) {
                const int last = ranks.size() - 1;
                std::vector<double> data(which % 2 == 0 ? 1 : 100'000);
                if (ranks.rank() == last) {
                    // Never answered: the others wait for the barrier.
                    auto request = which < 2 ? ranks.receive_async(std::span(data), 0, 5)
                                             : ranks.all_reduce_async(std::span(data));
                    throw std::domain_error("member " + std::to_string(last) + " is out of paper");
                }
                ranks.receive(std::span(data), last, 6);
            }>.with({.ranks = n})(kind);
        expect_from_member(gang, n - 1);
    }
    expect_still_works();
}

MUSTER_BODY(ADependencyThatFailedIsTheGangsCause) {
    auto rotten = task<[]() -> int { throw std::range_error("rotten"); }>();
    auto gang = task<&add_up>.with({.name = "gang", .ranks = largest_gang()})(rotten);
    const TaskError error = error_of(gang);
    ASSERT_EQ(error.chain().size(), 2U);
    EXPECT_EQ(error.chain()[0].task, "gang");
    EXPECT_THROW(error.rethrow_cause(), std::range_error);
    // And a gang's failure is that of what depends on it.
    auto behind =
        task<[](std::vector<int> values) { return values.size(); }>.with({.name = "behind"})(gang);
    const TaskError later = error_of(behind);
    EXPECT_EQ(later.chain().size(), 3U);
    EXPECT_EQ(later.chain()[0].task, "behind");
    EXPECT_THROW(later.rethrow_cause(), std::range_error);
}

MUSTER_BODY(AFailureThatAMemberWaitedForIsItsCause) {
    const auto gang = task<[](Communicator& ranks) {
                          if (ranks.rank() == 0) {
                              return task<[]() -> int { throw std::range_error("deep"); }>.with({.cpus = 0.25})().get();
                          }
                          ranks.barrier();
                          return 0;
                      }>.with({.cpus = 0.5, .ranks = largest_gang()})();
    const TaskError error = error_of(gang);
    ASSERT_EQ(error.chain().size(), 2U);
    EXPECT_EQ(error.chain()[0].member, 0);
    EXPECT_EQ(error.root_cause().message, "deep");
    EXPECT_FALSE(error.root_cause().member.has_value());
    EXPECT_THROW(error.rethrow_cause(), std::range_error);
}

MUSTER_BODY(AGangThatWaitsForItsRanksIsCancelled) {
    auto holders = hold_all_ranks();
    auto waiting = task<&add_up>.with({.ranks = largest_gang()})(1);
    auto behind = task<&add_up>.with({.ranks = largest_gang()})(2);
    cancel(waiting);
    EXPECT_EQ(error_of(waiting).code(), ErrorCode::cancelled);
    EXPECT_TRUE(contains(error_of(waiting).what(), "cancelled before it ran"));
    EXPECT_FALSE(behind.ready());
    cancel_all(holders);
    EXPECT_EQ(behind.get().front(), 2 * largest_gang());
}

MUSTER_BODY(ARunningGangIsCancelledWhateverItsMembersDo) {
    const int n = largest_gang();
    for (const Waiting way : ways) {
        if (way == Waiting::in_result && n == 1) {
            continue;
        }
        auto gates = new_gates(n);
        auto gang = task<&open_gate_and_wait>.with({.ranks = n})(gates, way);
        (void)wait(gates);
        EXPECT_FALSE(gang.ready());
        cancel(gang);
        cancel(gang);
        const TaskError error = error_of(gang);
        EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
        EXPECT_EQ(error.chain().size(), 1U) << error.what();
    }
    expect_still_works();
}

MUSTER_BODY(AGangIsCancelledAtAnyTime) {
    std::vector<Future<std::vector<int>>> gangs;
    for (int i = 0; i < 100; ++i) {
        gangs.push_back(task<&add_up>.with({.cpus = 0.5, .ranks = largest_gang()})(i));
        if (i % 2 == 1) {
            cancel(gangs.back());
        }
    }
    for (int i = 0; i < 100; ++i) {
        try {
            EXPECT_EQ(gangs[static_cast<std::size_t>(i)].get().front(), i * largest_gang());
        } catch (const TaskError& error) {
            EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
            EXPECT_EQ(i % 2, 1);
        }
    }
    expect_still_works();
}

MUSTER_BODY(AMemberThatReturnedIsNamedToThoseWhoStillCall) {
    const int n = largest_gang();
    for (int member = 0; member < n; ++member) {
        const auto gang = task<[](Communicator& ranks, int early) {
                              if (ranks.rank() != early) {
                                  std::vector<float> data(10);
                                  ranks.all_reduce(std::span(data));
                              }
                          }>.with({.ranks = n})(member);
        const std::string text = error_of(gang).what();
        EXPECT_TRUE(contains(text, "member " + std::to_string(member) + " (rank ")) << text;
        EXPECT_TRUE(contains(text, "has returned")) << text;
        EXPECT_TRUE(contains(text, "called all_reduce (sum) of 10 float")) << text;
    }
    expect_still_works();
}

MUSTER_BODY(ALargeMessageToAMemberThatReturnsWithoutItIsAnError) {
    const int n = largest_gang();
    const auto gang = task<[](Communicator& ranks) {
                          if (ranks.rank() == 0) {
                              const std::vector<double> data(100'000);
                              ranks.send(std::span(data), ranks.size() - 1);
                          }
                      }>.with({.ranks = n})();
    const TaskError error = error_of(gang);
    EXPECT_EQ(error.root_cause().member, 0);
    EXPECT_TRUE(contains(error.what(),
                         "member " + std::to_string(n - 1) +
                             " of the gang has returned and receives no more"))
        << error.what();
    expect_still_works();
}

MUSTER_BODY(AMessageThatAMemberReturnsWithoutSendingIsAnError) {
    const int n = largest_gang();
    for (const std::size_t size : {1U, 100'000U}) {
        const auto gang = task<[](Communicator& ranks, std::size_t count) {
                              if (ranks.rank() == 0) {
                                  std::vector<double> data(count);
                                  ranks.receive(std::span(data), ranks.size() - 1);
                              }
                          }>.with({.ranks = n})(size);
        const TaskError error = error_of(gang);
        EXPECT_EQ(error.root_cause().member, 0);
        EXPECT_TRUE(contains(error.what(),
                             "member " + std::to_string(n - 1) +
                                 " of the gang has returned and sends no more"))
            << error.what();
    }
    expect_still_works();
}

MUSTER_BODY(CallsThatDoNotMatchNameBoth) {
    const int n = largest_gang();
    const auto sizes = task<[](Communicator& ranks) {
                           std::vector<float> data(ranks.rank() == 0 ? 10 : 11);
                           ranks.all_reduce(std::span(data));
                       }>.with({.ranks = n})();
    std::string text = error_of(sizes).what();
    EXPECT_TRUE(contains(text, "of 10 float")) << text;
    EXPECT_TRUE(contains(text, "of 11 float")) << text;
    for (const int count : {1, 10'000}) {
        const auto messages =
            task<[](Communicator& ranks, int elements) {
                std::vector<double> data(static_cast<std::size_t>(elements) + 1);
                if (ranks.rank() == 0) {
                    ranks.send(
                        std::span<const double>(data).first(static_cast<std::size_t>(elements)), 1);
                } else if (ranks.rank() == 1) {
                    ranks.receive(std::span(data), 0);
                }
            }>.with({.ranks = n})(count);
        text = error_of(messages).what();
        EXPECT_TRUE(contains(text,
                             "member 0 sent " + std::to_string(8 * count) +
                                 " bytes to member 1, which receives " +
                                 std::to_string(8 * count + 8) + " from it there"))
            << text;
    }
    expect_still_works();
}

} // namespace muster::test
