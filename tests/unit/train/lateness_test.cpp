#include <muster/train/lateness.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace muster::train {
namespace {

using namespace std::chrono_literals;

/// Waits in that collective, which is the last it has begun.
RankStanding waits(int rank, std::uint64_t number, std::chrono::seconds time) {
    RankStanding standing{rank, "n" + std::to_string(rank), {}, 0s, false};
    standing.standing.begun = number;
    standing.standing.waiting = time;
    standing.standing.waits_in =
        CollectiveRecord{number, Collective::all_reduce, Phase::compute, 26'214'400, 0s, {}};
    return standing;
}

RankStanding busy(int rank, std::uint64_t begun, Phase phase, std::chrono::seconds time) {
    return {rank, "n" + std::to_string(rank), {begun, phase, time, std::nullopt, 0s}, 0s, false};
}

std::optional<Lateness> late(const std::vector<RankStanding>& ranks) {
    return who_is_late(ranks, 30s);
}

TEST(WhoIsLate, IsNobodyWhileNobodyHasWaitedLong) {
    EXPECT_FALSE(late({}));
    EXPECT_FALSE(late({busy(0, 5, Phase::data, 100s), busy(1, 5, Phase::data, 100s)}));
    EXPECT_FALSE(late({waits(0, 5, 29s), busy(1, 4, Phase::data, 100s)}));
}

TEST(WhoIsLate, NamesTheRankItsNodeHowFarBehindAndWhereItIs) {
    EXPECT_EQ(late({waits(0, 1207, 40s), busy(1, 1205, Phase::data, 41s)}),
              (Lateness{1,
                        2,
                        0,
                        "rank 1 (node n1) is late: 2 collectives behind, in data for 41 s; rank 0 "
                        "(node n0) has waited 40 s in all_reduce 1207 (25.0 MiB)"}));
    EXPECT_EQ(
        late({busy(0, 3, Phase::compute, 50s), waits(1, 4, 45s)})->sentence,
        "rank 0 (node n0) is late: 1 collective behind, in compute for 50 s; rank 1 (node n1) "
        "has waited 45 s in all_reduce 4 (25.0 MiB)");
    EXPECT_EQ(late({waits(0, 4, 45s), busy(1, 3, Phase::checkpoint, 50s)})->sentence.substr(0, 66),
              "rank 1 (node n1) is late: 1 collective behind, in checkpoint for 5");
}

TEST(WhoIsLate, IsTheFurthestBehindOfSeveralAndTheOthersAreCounted) {
    const auto three =
        late({waits(2, 10, 31s), busy(0, 9, Phase::data, 3s), busy(1, 8, Phase::compute, 35s)});
    EXPECT_EQ(three->late, 1);
    EXPECT_EQ(three->behind, 2U);
    EXPECT_NE(three->sentence.find("in compute for 35 s (1 more is late, too); rank 2"),
              std::string::npos)
        << three->sentence;
    const auto equal = late({waits(2, 10, 31s),
                             busy(1, 9, Phase::data, 3s),
                             busy(0, 9, Phase::data, 3s),
                             busy(3, 9, Phase::data, 3s)});
    EXPECT_EQ(equal->late, 0);
    EXPECT_NE(equal->sentence.find("(2 more are late, too)"), std::string::npos);
}

TEST(WhoIsLate, MayBeSomebodyWhoWaitsForSomebodyElse) {
    // 1 waits for 2 in 9 while 0 waits for both in 10: 2 is who counts.
    const auto chain = late({waits(0, 10, 31s), waits(1, 9, 33s), busy(2, 8, Phase::data, 60s)});
    EXPECT_EQ(chain->late, 2);
    EXPECT_EQ(chain->behind, 2U);
    EXPECT_EQ(chain->waiting, 1);
    // Only 0 has waited long, and 1 waits in an earlier one.
    const auto behind = late({waits(0, 10, 31s), waits(1, 9, 2s)});
    EXPECT_EQ(behind->late, 1);
    EXPECT_NE(behind->sentence.find("1 collective behind, in all_reduce 9 (25.0 MiB) for 2.0 s;"),
              std::string::npos)
        << behind->sentence;
}

TEST(WhoIsLate, IsADeadRankThatHasNotDoneItsPart) {
    RankStanding dead = busy(1, 9, Phase::data, 3s);
    dead.is_dead = true;
    dead.heard = 70s;
    EXPECT_EQ(late({waits(0, 10, 31s), dead})->sentence,
              "rank 1 (node n1) is late: 1 collective behind, dead, last heard of 70 s ago in "
              "data; rank 0 (node n0) has waited 31 s in all_reduce 10 (25.0 MiB)");
    dead.standing.begun = 10; // it died inside
    EXPECT_EQ(late({waits(0, 10, 31s), dead})->late, 1);
    EXPECT_EQ(late({waits(0, 10, 31s), dead})->behind, 0U);
    dead.standing.begun = 11; // it had done its part of 10
    EXPECT_EQ(late({waits(0, 10, 31s), dead})->late, std::nullopt);
}

TEST(WhoIsLate, IsNobodyWhereAllAreInTheSameCollective) {
    const auto all = late({waits(0, 10, 31s), waits(1, 10, 32s)});
    EXPECT_EQ(all->late, std::nullopt);
    EXPECT_EQ(all->waiting, 1);
    EXPECT_NE(all->sentence.find("nobody is late, so look at the network"), std::string::npos);
}

TEST(WhoIsLate, DoesNotDependOnTheOrderOfRanks) {
    std::vector<RankStanding> ranks{waits(0, 10, 31s),
                                    waits(3, 10, 31s),
                                    busy(1, 9, Phase::data, 3s),
                                    busy(2, 9, Phase::compute, 3s)};
    const auto by_rank = [](const RankStanding& a, const RankStanding& b) {
        return a.rank < b.rank;
    };
    std::sort(ranks.begin(), ranks.end(), by_rank);
    const auto expected = late(ranks);
    do {
        EXPECT_EQ(late(ranks), expected);
    } while (std::next_permutation(ranks.begin(), ranks.end(), by_rank));
}

TEST(CollectiveRing, TellsTheOldestThatHasNotEnded) {
    CollectiveRing ring;
    EXPECT_FALSE(ring.standing().waits_in);
    ring.phase(Phase::data);
    const auto first = ring.begin(Collective::all_reduce, 100);
    const auto second = ring.begin(Collective::barrier, 0);
    EXPECT_EQ(ring.standing().waits_in->number, first);
    ring.end(first);
    EXPECT_EQ(ring.standing().waits_in->number, second);
    EXPECT_EQ(ring.standing().waits_in->phase, Phase::data);
    ring.end(second);
    EXPECT_FALSE(ring.standing().waits_in);
    EXPECT_EQ(ring.standing().begun, 2U);
}

TEST(CollectiveRing, EndsInAnyOrder) {
    CollectiveRing ring;
    const auto first = ring.begin(Collective::all_reduce, 1);
    ring.end(ring.begin(Collective::all_reduce, 2));
    EXPECT_EQ(ring.standing().waits_in->number, first);
    ring.end(first);
    EXPECT_FALSE(ring.standing().waits_in);
}

TEST(CollectiveRing, KeepsTheLast) {
    CollectiveRing ring;
    const auto forgotten = ring.begin(Collective::barrier, 0); // never ends while it is remembered
    for (std::size_t i = 0; i < CollectiveRing::capacity + 10; ++i) {
        ring.end(ring.begin(Collective::all_reduce, i));
    }
    EXPECT_EQ(ring.last(3).size(), 3U);
    EXPECT_EQ(ring.last(3).back().number, CollectiveRing::capacity + 11);
    EXPECT_EQ(ring.last(1'000'000).size(), CollectiveRing::capacity);
    EXPECT_EQ(ring.last(1'000'000).front().number, 12U);
    ring.end(forgotten); // of which nothing is known any more
    EXPECT_FALSE(ring.standing().waits_in);
}

} // namespace
} // namespace muster::train
