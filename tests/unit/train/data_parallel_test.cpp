#include "fit.hpp"
#include "local_gang.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

namespace {

/// Points near z = 2 x - y + 0.5, with inputs in [-1, 1).
std::vector<Observation> observations(std::size_t count) {
    muster::Random random(5);
    std::vector<Observation> all(count);
    for (Observation& o : all) {
        o.x = random.uniform(-1, 1);
        o.y = random.uniform(-1, 1);
        o.z = 2 * o.x - o.y + 0.5 + 0.01 * random.normal();
    }
    return all;
}

/// What member 0 of a gang of so many fits; all must have the same bits.
Plane fit_on(int members, std::size_t count, std::uint64_t batch_size, std::uint64_t steps) {
    const auto data = observations(count);
    std::vector<Plane> planes(static_cast<std::size_t>(members));
    muster::test::run_gang(members, [&](muster::Communicator& ranks) {
        planes[static_cast<std::size_t>(ranks.rank())] = fit(ranks, data, batch_size, steps);
    });
    for (const Plane& plane : planes) {
        EXPECT_EQ(plane.slope, planes.front().slope);
        EXPECT_EQ(plane.offset, planes.front().offset);
    }
    return planes.front();
}

TEST(DataParallel, TrainsToTheSameWeightsOnAnyNumberOfMembers) {
    // 100 rows in batches of 32: the last batch of an epoch has 4, so of 7 members three have none.
    constexpr std::uint64_t steps = 400;
    const Plane one = fit_on(1, 100, 32, steps);
    EXPECT_NEAR(one.slope[0], 2, 0.05);
    EXPECT_NEAR(one.slope[1], -1, 0.05);
    EXPECT_NEAR(one.offset[0], 0.5, 0.05);
    // Members add the same terms in another order. Terms are below 4 (|error| <= 3.6 at the start,
    // and shrinking), their sum over 32 rows below 128 before the division; so a gradient is off by
    // at most (32 + 2 * 7) * 2^-53 * 4 < 2.1e-14 per step and the weights by 0.1 of that. A step of
    // gradient descent with this rate on a convex function brings two sets of weights no further
    // apart, so errors at most add up: 400 * 0.1 * 2.1e-14 < 1e-12.
    for (const int members : {2, 3, 4, 7}) {
        const Plane many = fit_on(members, 100, 32, steps);
        EXPECT_NEAR(many.slope[0], one.slope[0], 1e-12) << members << " members";
        EXPECT_NEAR(many.slope[1], one.slope[1], 1e-12) << members << " members";
        EXPECT_NEAR(many.offset[0], one.offset[0], 1e-12) << members << " members";
    }
}

} // namespace
