#include "resources/share_out.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace muster::resources {
namespace {

using Ids = std::vector<int>;
using Names = std::vector<std::string>;

LocalResources with_cpus(Ids ids) {
    LocalResources local;
    local.cpu_ids = std::move(ids);
    return local;
}

LocalResources with_gpus(Names ids) {
    LocalResources local = with_cpus({0, 1, 2, 3});
    local.gpu_ids = std::move(ids);
    return local;
}

Ids first_ids(int count) {
    Ids ids(static_cast<std::size_t>(count));
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

TEST(ShareOut, OfNobodyIsEmpty) {
    EXPECT_TRUE(share_out({}).empty());
}

TEST(ShareOut, CutsASharedMaskIntoContiguousPieces) {
    const std::vector<LocalResources> ranks(2, with_cpus({0, 2, 4, 6, 1, 3, 5}));
    const auto shares = share_out(ranks);
    EXPECT_EQ(shares[0].cpu_ids, (Ids{0, 2, 4, 6}));
    EXPECT_EQ(shares[1].cpu_ids, (Ids{1, 3, 5}));
    EXPECT_EQ(shares[0].resources.cpus, Amount{4});
    EXPECT_EQ(shares[1].resources.cpus, Amount{3});
    EXPECT_FALSE(shares[0].oversubscribed);
}

TEST(ShareOut, LeavesDisjointMasksToTheirRanks) {
    const std::vector<LocalResources> ranks{
        with_cpus({0, 1, 2}), with_cpus({7}), with_cpus({4, 5})};
    const auto shares = share_out(ranks);
    EXPECT_EQ(shares[0].cpu_ids, (Ids{0, 1, 2}));
    EXPECT_EQ(shares[1].cpu_ids, (Ids{7}));
    EXPECT_EQ(shares[2].cpu_ids, (Ids{4, 5}));
}

TEST(ShareOut, GivesOverlappingMasksEachCpuOnce) {
    const std::vector<LocalResources> ranks{with_cpus({0, 1}), with_cpus({0}), with_cpus({8, 9})};
    const auto shares = share_out(ranks);
    EXPECT_EQ(shares[0].cpu_ids, (Ids{1})) << "rank 1 has nothing but CPU 0";
    EXPECT_EQ(shares[1].cpu_ids, (Ids{0}));
    EXPECT_EQ(shares[2].cpu_ids, (Ids{8, 9})) << "not entangled with the others";
}

TEST(ShareOut, CountsOneCpuInTurnForEachRankWhereThereAreMoreRanks) {
    const std::vector<LocalResources> ranks(5, with_cpus({3, 5}));
    const auto shares = share_out(ranks);
    EXPECT_FALSE(shares[0].oversubscribed);
    EXPECT_FALSE(shares[1].oversubscribed);
    for (std::size_t rank = 0; rank < 5; ++rank) {
        EXPECT_EQ(shares[rank].resources.cpus, Amount{1});
        EXPECT_EQ(shares[rank].cpu_ids.size(), 1U);
        EXPECT_EQ(shares[rank].oversubscribed, rank >= 2);
    }
    EXPECT_EQ(shares[2].cpu_ids, Ids{3});
    EXPECT_EQ(shares[3].cpu_ids, Ids{5});
}

TEST(ShareOut, CountsWholeCpusOfAQuotaAndBindsToNone) {
    std::vector<LocalResources> ranks(2, with_cpus(first_ids(8)));
    ranks[0].cpu_quota = ranks[1].cpu_quota = Amount{3.5};
    const auto shares = share_out(ranks);
    EXPECT_EQ(shares[0].resources.cpus, Amount{2});
    EXPECT_EQ(shares[1].resources.cpus, Amount{1});
    EXPECT_EQ(shares[0].cpu_ids.size(), 4U) << "a quota limits time, not which CPUs";
}

TEST(ShareOut, SharesGpusAndLeavesPrivateOnes) {
    const std::vector<LocalResources> together(3, with_gpus({"2", "GPU-a"}));
    const auto shared = share_out(together);
    EXPECT_EQ(shared[0].gpu_ids, Names{"2"});
    EXPECT_EQ(shared[1].gpu_ids, Names{"GPU-a"});
    EXPECT_EQ(shared[2].gpu_ids, Names{});
    EXPECT_EQ(shared[2].resources.gpus, Amount{0});

    std::vector<LocalResources> apart(2, with_gpus({"0"}));
    apart[0].gpus_private = apart[1].gpus_private = true;
    const auto own = share_out(apart);
    EXPECT_EQ(own[0].gpu_ids, Names{"0"});
    EXPECT_EQ(own[1].gpu_ids, Names{"0"});
}

TEST(ShareOut, SharesTheLeastReportedMemoryEvenly) {
    std::vector<LocalResources> ranks(3, with_cpus(first_ids(3)));
    ranks[0].memory = 9_GiB;
    ranks[1].memory = 6_GiB;
    ranks[2].memory = 8_GiB;
    ranks[2].process_memory_max = 1_GiB;
    const auto shares = share_out(ranks);
    EXPECT_EQ(shares[0].resources.memory, Amount{(2_GiB).count});
    EXPECT_EQ(shares[1].resources.memory, Amount{(2_GiB).count});
    EXPECT_EQ(shares[2].resources.memory, Amount{(1_GiB).count});
}

TEST(ShareOut, ObeysOverrides) {
    LocalResources local = with_gpus({"4", "5"});
    local.memory = 8_GiB;
    local.cpus_wanted = 1;
    local.gpus_wanted = 1;
    local.memory_wanted = 64_GiB;
    local.custom = {{"license", Amount{2}}};
    std::vector<LocalResources> ranks(3, local);
    ranks[2].cpus_wanted = 16;
    ranks[2].gpus_wanted = 4;
    const auto shares = share_out(ranks);
    EXPECT_EQ(shares[0].resources.cpus, Amount{1});
    EXPECT_EQ(shares[0].cpu_ids.size(), 1U);
    EXPECT_EQ(shares[0].gpu_ids, Names{"4"});
    EXPECT_EQ(shares[0].resources.memory, Amount{(64_GiB).count});
    EXPECT_EQ(shares[0].resources.custom, local.custom);
    EXPECT_EQ(shares[2].resources.cpus, Amount{16});
    EXPECT_EQ(shares[2].cpu_ids, Ids{3}) << "more CPUs claimed than there are";
    EXPECT_EQ(shares[2].gpu_ids, (Names{"4", "5", "0", "1"}));
}

TEST(ShareOut, CountsOneCpuWhereTheMaskIsUnknown) {
    const auto shares = share_out(std::vector<LocalResources>{LocalResources{}});
    EXPECT_EQ(shares[0].resources.cpus, Amount{1});
}

TEST(ShareOutProperty, EqualMasksAreSharedDisjointlyCompletelyAndEvenly) {
    for (int cpus = 1; cpus <= 12; ++cpus) {
        for (std::size_t count = 1; count <= static_cast<std::size_t>(cpus); ++count) {
            const auto shares =
                share_out(std::vector<LocalResources>(count, with_cpus(first_ids(cpus))));
            Ids joined;
            std::set<std::size_t> sizes;
            for (const Capacity& share : shares) {
                joined.insert(joined.end(), share.cpu_ids.begin(), share.cpu_ids.end());
                sizes.insert(share.cpu_ids.size());
                EXPECT_EQ(share.resources.cpus, Amount{share.cpu_ids.size()});
                EXPECT_FALSE(share.oversubscribed);
            }
            EXPECT_EQ(joined, first_ids(cpus)) << "contiguous, each once, in order";
            EXPECT_LE(*sizes.rbegin() - *sizes.begin(), 1U);
        }
    }
}

TEST(ShareOutProperty, AnyMasksAreSharedDisjointlyAndCompletely) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        std::vector<LocalResources> ranks;
        const auto count = 1 + random.below(6);
        for (std::uint64_t i = 0; i < count; ++i) {
            std::set<int> mask{static_cast<int>(random.below(10))};
            for (auto more = random.below(8); more > 0; --more) {
                mask.insert(static_cast<int>(random.below(10)));
            }
            ranks.push_back(random.chance(0.3) && !ranks.empty()
                                ? ranks[random.below(ranks.size())]
                                : with_cpus({mask.begin(), mask.end()}));
        }
        std::set<int> all;
        for (const LocalResources& rank : ranks) {
            all.insert(rank.cpu_ids.begin(), rank.cpu_ids.end());
        }
        std::set<int> given;
        std::size_t total = 0;
        const auto shares = share_out(ranks);
        for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
            ASSERT_FALSE(shares[rank].cpu_ids.empty()) << "seed " << seed;
            for (const int id : shares[rank].cpu_ids) {
                EXPECT_NE(std::ranges::find(ranks[rank].cpu_ids, id), ranks[rank].cpu_ids.end());
            }
            if (!shares[rank].oversubscribed) {
                given.insert(shares[rank].cpu_ids.begin(), shares[rank].cpu_ids.end());
                total += shares[rank].cpu_ids.size();
            }
        }
        EXPECT_EQ(given, all) << "seed " << seed;
        EXPECT_EQ(total, all.size()) << "seed " << seed;
    }
}

} // namespace
} // namespace muster::resources
