#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/data/distributed_sampler.hpp>
#include <muster/data/epoch_order.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace muster::data {
namespace {

OrderSpec by_block(std::vector<std::uint64_t> starts, std::uint64_t rows, std::uint64_t window) {
    return {.rows = rows,
            .seed = 7,
            .order = Order::shuffled_by_block,
            .block_starts = std::make_shared<const std::vector<std::uint64_t>>(std::move(starts)),
            .window_blocks = window};
}

std::vector<std::uint64_t> equal_blocks(std::uint64_t rows, std::uint64_t block) {
    std::vector<std::uint64_t> starts;
    for (std::uint64_t row = 0; row < rows; row += block) {
        starts.push_back(row);
    }
    return starts;
}

std::vector<std::uint64_t> all_of(const EpochOrder& order) {
    std::vector<std::uint64_t> rows;
    order.append(0, order.rows(), rows);
    return rows;
}

/// Of position and row: 0 for a good shuffle, with a standard deviation of 1 / sqrt(rows).
double rank_correlation(const std::vector<std::uint64_t>& rows) {
    const double mean = static_cast<double>(rows.size() - 1) / 2;
    double both = 0;
    double one = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        both += (static_cast<double>(i) - mean) * (static_cast<double>(rows[i]) - mean);
        one += (static_cast<double>(i) - mean) * (static_cast<double>(i) - mean);
    }
    return both / one;
}

/// By how much batches differ in their share of each of ten labels of a file sorted by label: the
/// statistic of a chi-squared test per degree of freedom, near 1 for a shuffle of single rows.
double label_spread(const std::vector<std::uint64_t>& rows, std::uint64_t batch) {
    double sum = 0;
    std::uint64_t batches = 0;
    for (std::size_t first = 0; first + batch <= rows.size(); first += batch) {
        std::array<double, 10> counts{};
        for (std::size_t i = first; i < first + batch; ++i) {
            counts[rows[i] * 10 / rows.size()] += 1;
        }
        const double expected = static_cast<double>(batch) / 10;
        for (const double count : counts) {
            sum += (count - expected) * (count - expected) / expected;
        }
        ++batches;
    }
    return sum / 9 / static_cast<double>(batches);
}

TEST(EpochOrder, IsABijectionWhateverTheBlocks) {
    Random random(1);
    for (int i = 0; i < 300; ++i) {
        const std::uint64_t rows = random.below(400);
        std::set<std::uint64_t> starts{0};
        for (std::uint64_t blocks = random.below(20); rows > 0 && blocks > 0; --blocks) {
            starts.insert(random.below(rows));
        }
        OrderSpec spec = by_block({starts.begin(), starts.end()}, rows, 1 + random.below(6));
        if (rows == 0) {
            spec.block_starts = std::make_shared<const std::vector<std::uint64_t>>();
        }
        spec.order =
            std::array{Order::stored, Order::shuffled, Order::shuffled_by_block}[random.below(3)];
        spec.seed = random.next();
        const EpochOrder order(spec, random.below(5));
        std::vector<std::uint64_t> rows_seen = all_of(order);
        for (std::uint64_t position = 0; position < rows; ++position) {
            ASSERT_EQ(order(position), rows_seen[position]);
        }
        std::vector<std::uint64_t> some;
        const std::uint64_t first = random.below(rows + 1);
        order.append(first, rows - first, some);
        ASSERT_TRUE(std::equal(
            some.begin(), some.end(), rows_seen.begin() + static_cast<std::ptrdiff_t>(first)));
        std::sort(rows_seen.begin(), rows_seen.end());
        std::vector<std::uint64_t> all(rows);
        std::iota(all.begin(), all.end(), std::uint64_t{0});
        ASSERT_EQ(rows_seen, all);
    }
}

TEST(EpochOrder, ReadsEachBlockInOneWindowOnly) {
    const OrderSpec spec = by_block(equal_blocks(10'000, 64), 10'000, 8);
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
        const EpochOrder order(spec, epoch);
        std::map<std::uint64_t, std::uint64_t> window_of_block;
        for (std::uint64_t position = 0; position < 10'000; ++position) {
            const std::uint64_t window = order.window_of(position);
            const std::uint64_t block = order(position) / 64;
            EXPECT_EQ(window_of_block.emplace(block, window).first->second, window);
            const auto of = order.window(window);
            EXPECT_TRUE(of.first <= position && position < of.first + of.rows);
            EXPECT_NE(std::find(of.blocks.begin(), of.blocks.end(), block), of.blocks.end());
        }
        EXPECT_EQ(window_of_block.size(), 157U);
    }
}

TEST(EpochOrder, OfBlocksIsAsGoodAsRandomBlocksCanMakeIt) {
    constexpr std::uint64_t rows = 60'000;
    const OrderSpec spec = by_block(equal_blocks(rows, 256), rows, 64);
    std::vector<std::uint64_t> previous;
    for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
        const auto order = all_of(EpochOrder(spec, epoch));
        // 235 blocks: what is drawn first is 64 of them at random.
        EXPECT_LT(std::abs(rank_correlation(order)), 4 / std::sqrt(235.0));
        // Ten labels in order: a window of 64 blocks has them all, so a batch has 256 of 16,384
        // rows. 1 would be single rows; 256 is the file as it is, a batch from one label.
        EXPECT_LT(label_spread(order, 256), 6.0);
        EXPECT_NE(order, previous);
        previous = order;
    }
    const auto single = all_of(EpochOrder({.rows = rows, .seed = 7}, 0));
    EXPECT_LT(std::abs(rank_correlation(single)), 4 / std::sqrt(static_cast<double>(rows)));
    EXPECT_NEAR(label_spread(single, 256), 1.0, 0.2);
    const auto stored = all_of(EpochOrder({.rows = rows, .order = Order::stored}, 0));
    EXPECT_GT(label_spread(stored, 256), 200.0) << "the statistic tells a bad order";
}

TEST(EpochOrder, NeedsBlocks) {
    EXPECT_THROW(EpochOrder({.rows = 5, .order = Order::shuffled_by_block}, 0), UsageError);
    EXPECT_THROW(EpochOrder(by_block({0}, 5, 0), 0), UsageError);
}

/// PyTorch's rules, written as they are documented.
std::vector<std::uint64_t>
reference(std::vector<std::uint64_t> order, Shard shard, bool drop_last) {
    const double count = static_cast<double>(order.size());
    const double world = shard.world;
    const bool drops = drop_last && order.size() % shard.world != 0;
    const auto per_rank =
        static_cast<std::uint64_t>(std::ceil((drops ? count - world : count) / world));
    const std::uint64_t total = per_rank * shard.world;
    const std::vector<std::uint64_t> once = order;
    while (order.size() < total) {
        order.insert(order.end(), once.begin(), once.end());
    }
    order.resize(total);
    std::vector<std::uint64_t> mine;
    for (std::uint64_t i = shard.rank; i < total; i += shard.world) {
        mine.push_back(order[i]);
    }
    return mine;
}

TEST(DistributedSampler, DrawsIndexForIndexWhatPyTorchsRulesGive) {
    for (std::uint64_t samples = 1; samples < 40; ++samples) {
        for (std::uint32_t world = 1; world <= 9; ++world) {
            for (std::uint32_t rank = 0; rank < world; ++rank) {
                for (const bool shuffle : {false, true}) {
                    for (const bool drop_last : {false, true}) {
                        if (drop_last && samples < world) {
                            continue; // PyTorch's rule gives a negative number
                        }
                        const Shard shard{.rank = rank, .world = world};
                        DistributedSampler sampler(
                            samples,
                            shard,
                            {.shuffle = shuffle, .seed = 3, .drop_last = drop_last});
                        sampler.set_epoch(2);
                        std::vector<std::uint64_t> order(samples);
                        const Permutation permutation(samples, 3, 2);
                        for (std::uint64_t i = 0; i < samples; ++i) {
                            order[i] = shuffle ? permutation(i) : i;
                        }
                        std::vector<std::uint64_t> drawn;
                        for (std::uint64_t i = 0; i < sampler.size(); ++i) {
                            drawn.push_back(sampler[i]);
                        }
                        ASSERT_EQ(drawn, reference(order, shard, drop_last))
                            << samples << " samples, rank " << rank << " of " << world;
                    }
                }
            }
        }
    }
}

} // namespace
} // namespace muster::data
