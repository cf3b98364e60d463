// Gangs that go well: what members see, how they talk, where they are, and who waits for whom.

#include "gangs.hpp"

#include <chrono>
#include <set>
#include <tuple>

namespace muster::test {
namespace {

std::vector<int> number_members(Communicator& ranks, int base) {
    return {base, ranks.rank(), ranks.size()};
}

int add_up(Communicator& ranks, int value) {
    return sum_over(ranks, value + ranks.rank());
}

int pass(int value) {
    return value;
}

int total(std::vector<int> values) {
    return std::accumulate(values.begin(), values.end(), 0);
}

int total_in_gang(Communicator& ranks, std::vector<int> values) {
    return sum_over(ranks, total(std::move(values)));
}

std::int64_t now() {
    return std::int64_t{std::chrono::steady_clock::now().time_since_epoch().count()};
}

/// When the last member was there.
std::int64_t meet(Communicator& ranks) {
    ranks.barrier();
    return now();
}

/// What was submitted together goes to the coordinator in any order; what comes later follows it.
void wait_until_submitted() {
    (void)task<&pass>.with({.cpus = 0, .priority = 200})(0).get();
}

/// From member to member, in a ring: everybody ends with the first one's bytes.
std::uint64_t pass_round(Communicator& ranks, std::size_t size) {
    std::vector<std::uint8_t> bytes(size, static_cast<std::uint8_t>(ranks.rank() + 1));
    const int next = (ranks.rank() + 1) % ranks.size();
    const int before = (ranks.rank() + ranks.size() - 1) % ranks.size();
    std::vector<std::uint8_t> received(size);
    for (int step = 0; step < ranks.size(); ++step) {
        auto sending = ranks.send_async(std::span<const std::uint8_t>(bytes), next, step);
        ranks.receive(std::span(received), before, step);
        sending.wait();
        bytes.swap(received);
    }
    return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

} // namespace

MUSTER_BODY(AGangsResultIsEveryMembersInTheirOrder) {
    for (int n = 1; n <= largest_gang(); ++n) {
        const auto results = task<&number_members>.with({.ranks = n})(40 + n).get();
        ASSERT_EQ(results.size(), static_cast<std::size_t>(n));
        for (int member = 0; member < n; ++member) {
            EXPECT_EQ(results[static_cast<std::size_t>(member)],
                      (std::vector<int>{40 + n, member, n}));
        }
    }
    EXPECT_EQ(task<&number_members>(7).get(), (std::vector<std::vector<int>>{{7, 0, 1}}));
}

MUSTER_BODY(AGangMayReturnNothing) {
    const Future<void> done =
        task<[](Communicator& ranks) { ranks.barrier(); }>.with({.ranks = largest_gang()})();
    done.get();
    EXPECT_TRUE(done.ready());
}

MUSTER_BODY(MembersAreOnRanksOfTheirOwnWhereThereAreEnough) {
    for (const Placement placement : {Placement{}, pack, spread, on_node(0)}) {
        const auto seats = task<[](Communicator& ranks) {
                               return std::pair(where(), index(ranks.world_rank(ranks.rank())));
                           }>.with({.placement = placement, .ranks = largest_gang()})()
                               .get();
        std::set<int> different;
        for (const auto& [ran_on, said] : seats) {
            EXPECT_EQ(ran_on, said);
            different.insert(ran_on);
        }
        EXPECT_EQ(static_cast<int>(different.size()), rank_count());
    }
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto alone =
            task<[](Communicator&) { return where(); }>.with({.placement = on_rank(rank)})();
        EXPECT_EQ(alone.get(), std::vector{rank});
    }
}

MUSTER_BODY(MembersAgreeWhereEverybodyIs) {
    const auto tables = task<[](Communicator& ranks) {
                            std::vector<int> table;
                            for (int member = 0; member < ranks.size(); ++member) {
                                table.push_back(index(ranks.world_rank(member)));
                            }
                            return table;
                        }>.with({.ranks = largest_gang()})()
                            .get();
    for (const auto& table : tables) {
        EXPECT_EQ(table, tables.front());
    }
}

MUSTER_BODY(AMemberIsATaskOfItsOwn) {
    const auto gang = task<[](Communicator&) {
                          const auto self = this_task();
                          return std::tuple(self.id, self.attempt, self.stop_token.stop_possible());
                      }>.with({.ranks = largest_gang()})();
    std::set<TaskId> ids;
    for (const auto& [id, attempt, stoppable] : gang.get()) {
        ids.insert(id);
        EXPECT_EQ(attempt, 1U);
        EXPECT_TRUE(stoppable);
    }
    EXPECT_EQ(static_cast<int>(ids.size()), largest_gang());
    EXPECT_EQ(std::get<0>(gang.get().front()), gang.id());
}

MUSTER_BODY(MembersSendOneAnotherMessagesOfAnySize) {
    const int n = largest_gang();
    for (const std::size_t size : {0U, 1U, 1'000U, 16'384U, 16'385U, 3'000'000U}) {
        const auto sums = task<&pass_round>.with({.ranks = n})(size).get();
        for (int member = 0; member < n; ++member) {
            EXPECT_EQ(sums[static_cast<std::size_t>(member)],
                      size * static_cast<std::uint64_t>(member + 1));
        }
    }
}

MUSTER_BODY(ManyGangsRunAtOnceAndKeepTheirMessagesApart) {
    std::vector<Future<std::vector<int>>> sums;
    std::vector<Future<std::vector<std::uint64_t>>> rings;
    std::vector<int> sizes;
    for (int i = 0; i < 40; ++i) {
        const int n = 1 + i % largest_gang();
        sizes.push_back(n);
        const TaskOptions options{.cpus = 0.25, .priority = i % 3, .ranks = n};
        sums.push_back(task<&add_up>.with(options)(i));
        rings.push_back(task<&pass_round>.with(options)(std::size_t{20'000}));
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
        const int n = sizes[i];
        EXPECT_EQ(sums[i].get(),
                  std::vector<int>(static_cast<std::size_t>(n),
                                   n * static_cast<int>(i) + n * (n - 1) / 2));
        EXPECT_EQ(rings[i].get().back(), 20'000U * static_cast<unsigned>(n));
    }
}

MUSTER_BODY(AMapOverAGangFunctionIsManyGangs) {
    const int n = largest_gang();
    std::vector<int> elements(30);
    std::iota(elements.begin(), elements.end(), 0);
    auto gangs = map<&add_up>(elements, {.ranks = n});
    ASSERT_EQ(gangs.size(), elements.size());
    for (std::size_t i = 0; i < gangs.size(); ++i) {
        EXPECT_EQ(gangs[i].get().at(0), n * static_cast<int>(i) + n * (n - 1) / 2);
    }
    std::size_t count = 0;
    for (auto& gang : as_completed(gangs)) {
        EXPECT_TRUE(gang.ready());
        ++count;
    }
    EXPECT_EQ(count, elements.size());
}

MUSTER_BODY(FuturesAreArgumentsOfGangsAndGangsOfTasks) {
    const int n = largest_gang();
    const std::vector parts{task<&pass>(1), task<&pass>(2), task<&pass>(3)};
    auto first = task<&add_up>.with({.ranks = n})(task<&pass>(5)); // a dependency
    auto second = task<&total_in_gang>.with({.ranks = n})(parts);  // a list of them
    auto third = task<&total_in_gang>.with({.ranks = n})(first);   // a gang's result
    auto last = task<&total>(third);
    const int each = n * 5 + n * (n - 1) / 2;
    EXPECT_EQ(second.get(), std::vector<int>(static_cast<std::size_t>(n), 6 * n));
    EXPECT_EQ(last.get(), n * n * n * each);
}

MUSTER_BODY(AGangsFutureTravelsInsideAValue) {
    auto gang = task<&add_up>.with({.cpus = 0.5, .ranks = largest_gang()})(1);
    const auto elsewhere =
        task<[](const Future<std::vector<int>>& future) { return total(future.get()); }>.with(
            {.cpus = 0.5, .placement = rank_at(1)})(gang);
    EXPECT_EQ(elsewhere.get(), total(gang.get()));
}

MUSTER_BODY(LargeArgumentsAndResultsOfGangsArrive) {
    const int n = largest_gang();
    std::vector<double> mesh(400'000);
    std::iota(mesh.begin(), mesh.end(), 0.0);
    const auto scale = task<[](Communicator& ranks, const std::vector<double>& values) {
                           std::vector<double> scaled = values;
                           for (double& value : scaled) {
                               value *= ranks.rank() + 1;
                           }
                           return scaled;
                       }>.with({.ranks = n});
    for (int round = 0; round < 2; ++round) {
        // By value the first time, then as an object that the ranks may share.
        const auto results = round == 0 ? scale(mesh).get() : scale(put(mesh)).get();
        ASSERT_EQ(results.size(), static_cast<std::size_t>(n));
        for (int member = 0; member < n; ++member) {
            const auto& result = results[static_cast<std::size_t>(member)];
            ASSERT_EQ(result.size(), mesh.size());
            EXPECT_EQ(result.back(), mesh.back() * (member + 1));
        }
    }
    const auto uneven = task<[](Communicator& ranks) {
                            return std::string(static_cast<std::size_t>(ranks.rank()) * 2'000, 'x');
                        }>.with({.ranks = n})()
                            .get();
    for (int member = 0; member < n; ++member) {
        EXPECT_EQ(uneven[static_cast<std::size_t>(member)].size(),
                  static_cast<std::size_t>(member) * 2'000);
    }
}

MUSTER_BODY(ATaskMaySubmitAGangAndWaitForIt) {
    // The task's own CPUs are lent to the gang, which needs all that there are.
    const auto parent = task<[](int cpus) {
        return task<&add_up>.with({.cpus = cpus, .ranks = largest_gang()})(3).get();
    }>;
    const int cpus = rank_count() == 1 ? 1 : 2;
    const int n = largest_gang();
    const std::vector<int> expected(static_cast<std::size_t>(n), n * 3 + n * (n - 1) / 2);
    std::vector<Future<std::vector<int>>> parents;
    for (int rank = 0; rank < rank_count(); ++rank) {
        for (int i = 0; i < 3; ++i) {
            parents.push_back(parent.with({.placement = on_rank(rank)})(cpus));
        }
    }
    for (auto& future : parents) {
        EXPECT_EQ(future.get(), expected);
    }
}

MUSTER_BODY(AMemberMayWaitForATaskAndForAGang) {
    // Members keep their CPUs while they wait, so what they wait for needs others.
    const auto results =
        task<[](Communicator& ranks) {
            const int child = task<&pass>.with({.cpus = 0.25})(ranks.rank() + 10).get();
            const int inner = task<&add_up>.with({.cpus = 0.25})(child).get().front();
            return sum_over(ranks, inner);
        }>.with({.cpus = 0.5, .ranks = largest_gang()})()
            .get();
    const int n = largest_gang();
    EXPECT_EQ(results, std::vector<int>(static_cast<std::size_t>(n), 10 * n + n * (n - 1) / 2));
}

MUSTER_BODY(AGangOfAllRanksIsNotKeptOutByTasksThatCameLater) {
    auto holders = hold_all_ranks();
    auto gang = task<&meet>.with({.cpus = rank_count() == 1 ? 1 : 2, .ranks = largest_gang()})();
    wait_until_submitted();
    auto later = map<[](int) { return now(); }>(std::vector<int>(300, 1));
    wait_until_submitted();
    cancel_all(holders); // one after the other
    const auto met = gang.get();
    for (auto& future : later) {
        EXPECT_GT(future.get(), *std::min_element(met.begin(), met.end()));
    }
}

MUSTER_BODY(ATaskIsNotKeptOutByGangsThatCameLater) {
    const TaskOptions all{.cpus = rank_count() == 1 ? 1 : 2, .ranks = largest_gang()};
    std::vector<Future<std::vector<std::int64_t>>> gangs;
    for (int i = 0; i < 20; ++i) {
        gangs.push_back(task<&meet>.with(all)());
    }
    wait_until_submitted();
    const auto between = task<[](int) { return now(); }>.with({.cpus = 2})(0);
    wait_until_submitted();
    for (int i = 0; i < 20; ++i) {
        gangs.push_back(task<&meet>.with(all)());
    }
    EXPECT_LT(between.get(), gangs.back().get().front());
}

MUSTER_BODY(ManyThreadsOfOneRankAreAGang) {
    if (rank_count() > 1) {
        return;
    }
    const auto sums = task<&add_up>.with({.cpus = 0.03, .ranks = 64})(1).get();
    EXPECT_EQ(sums, std::vector<int>(64, 64 + 63 * 32));
}

MUSTER_BODY(WhatCannotBeAGangIsRefusedAtTheCall) {
    const int ranks = rank_count();
    const auto refused = [](const TaskOptions& options) {
        std::string text = thrown_by<Error>([&] { (void)task<&add_up>.with(options)(1); });
        const std::string begin = "task muster::test::add_up";
        EXPECT_EQ(text.substr(0, begin.size()), begin);
        return text.size() > begin.size() ? text.substr(begin.size()) : text;
    };
    EXPECT_EQ(refused({.ranks = 0}), ": `.ranks` is 0; a gang has at least one");
    EXPECT_EQ(refused({.ranks = -3}), ": `.ranks` is -3; a gang has at least one");
    if (ranks == 1) {
        EXPECT_EQ(refused({.ranks = 3}),
                  " needs 3 ranks with 1 cpu each: this run has one rank, with room for 2 such "
                  "members; start it with more ranks, as in mpirun -n 3");
        EXPECT_EQ(refused({.cpus = 0, .ranks = 1'000}),
                  " needs 1000 ranks with nothing each: this run has one rank, with room for 256 "
                  "such members; start it with more ranks, as in mpirun -n 1000");
    } else {
        const std::string all = std::to_string(ranks);
        EXPECT_EQ(refused({.ranks = ranks + 1}),
                  " needs " + std::to_string(ranks + 1) + " ranks with 1 cpu each: of the " + all +
                      " ranks that there are, " + all + " can be members of it");
        EXPECT_EQ(refused({.placement = on_rank(1), .ranks = 2}),
                  " needs 2 ranks with 1 cpu each: of the " + all +
                      " ranks that there are, 1 can be members of it");
    }
    EXPECT_TRUE(contains(refused({.cpus = 64, .ranks = largest_gang()}),
                         " needs 64 cpus: the most any rank has is 2 of cpus (rank 0 on "));
    const std::string only_for =
        ": `.ranks` and `.raw_mpi` are for functions whose first parameter is a "
        "muster::Communicator&";
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)task<&pass>.with({.ranks = 2})(1); }),
                         "pass" + only_for));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)task<&pass>.with({.ranks = 0})(1); }),
                         "pass" + only_for));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)task<&pass>.with({.raw_mpi = true})(1); }),
                         "pass" + only_for));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)command({"true"}).with({.ranks = 2})(); }),
                         "run_command" + only_for));
    try {
        (void)task<&add_up>.with({.ranks = 1'000})(1);
        ADD_FAILURE() << "no exception";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::infeasible);
    }
}

} // namespace muster::test
