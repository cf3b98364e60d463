#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/data/batch_plan.hpp>
#include <muster/data/shuffle.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace muster::data {
namespace {

/// The batches of one epoch, each put together from the pieces of all ranks.
std::vector<std::vector<std::uint64_t>>
epoch_of(std::uint64_t rows, std::uint64_t batch_size, std::uint64_t epoch, std::uint32_t world) {
    std::vector<std::vector<std::uint64_t>> batches;
    for (std::uint32_t rank = 0; rank < world; ++rank) {
        const BatchPlan plan(rows, batch_size, 5, {.rank = rank, .world = world});
        batches.resize(plan.batches());
        for (std::uint64_t batch = 0; batch < plan.batches(); ++batch) {
            std::vector<std::uint64_t> piece;
            plan.indices(epoch, batch, piece);
            batches[batch].insert(batches[batch].end(), piece.begin(), piece.end());
        }
    }
    return batches;
}

class BatchPlanOnRanks : public testing::TestWithParam<std::uint32_t> {};

TEST_P(BatchPlanOnRanks, TakesEachRowOncePerEpoch) {
    for (const std::uint64_t rows : {0ULL, 1ULL, 6ULL, 64ULL, 100ULL, 1001ULL}) {
        for (const std::uint64_t batch_size : {1ULL, 5ULL, 64ULL, 2000ULL}) {
            std::vector<std::uint64_t> seen;
            for (const auto& batch : epoch_of(rows, batch_size, 3, GetParam())) {
                EXPECT_LE(batch.size(), batch_size);
                seen.insert(seen.end(), batch.begin(), batch.end());
            }
            ASSERT_EQ(seen.size(), rows);
            std::sort(seen.begin(), seen.end());
            for (std::uint64_t i = 0; i < rows; ++i) {
                ASSERT_EQ(seen[i], i);
            }
        }
    }
}

TEST_P(BatchPlanOnRanks, GivesTheSameBatchesAsOneRank) {
    EXPECT_EQ(epoch_of(1001, 64, 2, GetParam()), epoch_of(1001, 64, 2, 1));
}

TEST_P(BatchPlanOnRanks, SharesABatchOutEvenly) {
    std::uint64_t least = 64;
    std::uint64_t most = 0;
    for (std::uint32_t rank = 0; rank < GetParam(); ++rank) {
        std::vector<std::uint64_t> piece;
        BatchPlan(640, 64, 1, {.rank = rank, .world = GetParam()}).indices(0, 4, piece);
        least = std::min(least, piece.size());
        most = std::max(most, piece.size());
    }
    EXPECT_LE(most - least, 1U);
}

TEST_P(BatchPlanOnRanks, SaysHowManyRowsEachRankHasOfAnUnevenTail) {
    for (const Tail tail : {Tail::keep, Tail::drop, Tail::pad}) {
        std::uint64_t of_all = 0;
        std::uint64_t batches = 0;
        for (std::uint32_t rank = 0; rank < GetParam(); ++rank) {
            const BatchPlan plan(
                OrderSpec{.rows = 130, .seed = 2}, 64, {.rank = rank, .world = GetParam()}, tail);
            batches = plan.batches();
            for (std::uint64_t batch = 0; batch < batches; ++batch) {
                std::vector<std::uint64_t> piece;
                plan.indices(1, batch, piece);
                EXPECT_EQ(piece.size(), plan.piece_rows(batch, rank));
                of_all += piece.size();
            }
        }
        EXPECT_EQ(batches, tail == Tail::drop ? 2U : 3U);
        EXPECT_EQ(of_all, tail == Tail::keep ? 130U : tail == Tail::drop ? 128U : 192U);
    }
}

TEST_P(BatchPlanOnRanks, CutsTheBatchesOfOneRankIntoEvenPiecesWhateverTheNumbers) {
    Random random(GetParam());
    for (int i = 0; i < 200; ++i) {
        const std::uint64_t rows = random.below(300);
        const std::uint64_t batch_size = 1 + random.below(100);
        const std::uint64_t seed = random.next();
        const BatchPlan whole(rows, batch_size, seed);
        std::vector<std::uint64_t> seen;
        for (std::uint64_t step = whole.batches(); step < 2 * whole.batches(); ++step) {
            const auto [epoch, batch] = whole.position(step);
            ASSERT_EQ(epoch, 1U);
            std::vector<std::uint64_t> expected;
            whole.indices(epoch, batch, expected);
            ASSERT_EQ(expected.size(), whole.batch_rows(batch));
            std::vector<std::uint64_t> joined;
            for (std::uint32_t rank = 0; rank < GetParam(); ++rank) {
                const BatchPlan plan(rows, batch_size, seed, {rank, GetParam()});
                ASSERT_EQ(plan.batches(), whole.batches());
                ASSERT_EQ(plan.batch_rows(batch), whole.batch_rows(batch));
                std::vector<std::uint64_t> piece;
                plan.indices(epoch, batch, piece);
                ASSERT_GE(piece.size(), expected.size() / GetParam());
                ASSERT_LE(piece.size(), (expected.size() + GetParam() - 1) / GetParam());
                joined.insert(joined.end(), piece.begin(), piece.end());
            }
            ASSERT_EQ(joined, expected) << rows << " rows in batches of " << batch_size;
            seen.insert(seen.end(), joined.begin(), joined.end());
        }
        std::sort(seen.begin(), seen.end());
        ASSERT_EQ(seen.size(), rows);
        for (std::uint64_t row = 0; row < rows; ++row) {
            ASSERT_EQ(seen[row], row);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Ranks, BatchPlanOnRanks, testing::Range(1U, 9U));

TEST(BatchPlan, ShufflesAnewEveryEpoch) {
    EXPECT_NE(epoch_of(1000, 64, 0, 1), epoch_of(1000, 64, 1, 1));
}

TEST(BatchPlan, EndsWithAShortBatch) {
    const auto batches = epoch_of(100, 64, 0, 1);
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0].size(), 64U);
    EXPECT_EQ(batches[1].size(), 36U);
}

TEST(BatchPlan, FindsTheBatchOfAStep) {
    const BatchPlan plan(100, 64, 1);
    EXPECT_EQ(plan.position(0), (Position{0, 0}));
    EXPECT_EQ(plan.position(1), (Position{0, 1}));
    EXPECT_EQ(plan.position(7), (Position{3, 1}));
    EXPECT_EQ(plan.batch_rows(0), 64U);
    EXPECT_EQ(plan.batch_rows(1), 36U);
}

TEST(BatchPlan, AddressesAnyStepOfATableTooLargeToList) {
    constexpr std::uint64_t rows = 1ULL << 50U;
    const BatchPlan plan(rows, 1024, 3, {.rank = 1, .world = 4});
    std::vector<std::uint64_t> piece;
    plan.indices(2, plan.batches() - 1, piece);
    ASSERT_EQ(piece.size(), 256U);
    EXPECT_EQ(piece[5], Permutation(rows, 3, 2)(rows - 1024 + 256 + 5));
}

TEST(BatchPlan, RefusesEmptyBatchesAndRanksOutsideTheWorld) {
    EXPECT_THROW(BatchPlan(10, 0, 1), UsageError);
    EXPECT_THROW(BatchPlan(10, 5, 1, {.rank = 2, .world = 2}), UsageError);
    EXPECT_THROW(BatchPlan(10, 5, 1, {.rank = 0, .world = 0}), UsageError);
}

} // namespace
} // namespace muster::data
