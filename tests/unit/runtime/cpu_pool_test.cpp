#include "runtime/cpu_pool.hpp"

#include <gtest/gtest.h>

namespace muster::runtime {
namespace {

using Cpus = std::vector<int>;

TEST(CpuPool, GivesEachCpuOnce) {
    CpuPool pool({4, 5, 6, 7});
    EXPECT_EQ(pool.take(2, {}, {}), (Cpus{4, 5}));
    EXPECT_EQ(pool.take(3, {}, {}), Cpus{});
    EXPECT_EQ(pool.free_count(), 2U);
    pool.give_back(Cpus{5});
    EXPECT_EQ(pool.take(3, {}, {}), (Cpus{5, 6, 7}));
    EXPECT_EQ(pool.take(1, {}, {}), Cpus{});
}

TEST(CpuPool, GivesWhatIsWantedIfThatIsFree) {
    CpuPool pool({0, 1, 2, 3});
    EXPECT_EQ(pool.take(1, Cpus{2}, {}), Cpus{2});
    EXPECT_EQ(pool.take(1, Cpus{2}, {}), Cpus{0});
    EXPECT_EQ(pool.take(1, Cpus{9}, {}), Cpus{1}); // another rank's
    EXPECT_EQ(pool.take(1, Cpus{2, 3}, {}), Cpus{3});
}

TEST(CpuPool, PrefersThoseNear) {
    CpuPool pool({0, 1, 2, 3});
    EXPECT_EQ(pool.take(1, Cpus{0}, Cpus{2, 3, 8}), Cpus{2});
    EXPECT_EQ(pool.take(1, Cpus{3}, Cpus{2, 3, 8}), Cpus{3});
    EXPECT_EQ(pool.take(1, {}, Cpus{2, 3, 8}), Cpus{0});
    pool.give_back(Cpus{3});
    EXPECT_EQ(pool.take(2, {}, Cpus{2, 3, 8}), (Cpus{3, 1}));
}

} // namespace
} // namespace muster::runtime
