#include <muster/base/random.hpp>
#include <muster/train/bucket_plan.hpp>

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace muster::train {
namespace {

constexpr std::uint64_t KiB = 1024;
constexpr std::uint64_t MiB = 1024 * KiB;

using enum ElementType;
using Plan = std::vector<Bucket>;

struct Case {
    std::string why;
    std::vector<GradientShape> gradients;
    std::vector<std::uint64_t> limits;
    Plan expected;
};

TEST(BucketPlan, FollowsItsRulesWhereNoOrderIsKnown) {
    const std::vector<Case> cases{
        {"no parameters", {}, {MiB}, {}},
        {"one bucket without limit, in ascending order within",
         {{MiB}, {100 * MiB}, {4}},
         {unlimited_bucket_bytes},
         {{0, 1, 2}}},
        {"closed when the limit is reached exactly", {{4}, {4}, {4}}, {8}, {{2}, {0, 1}}},
        {"closed by the parameter that exceeds the limit", {{6}, {6}, {6}}, {8}, {{2}, {0, 1}}},
        {"a parameter larger than the limit ends its bucket, and takes along what was in it",
         {{4}, {100}, {4}},
         {8},
         {{2}, {0, 1}}},
        {"the first limit is for the first bucket only, the last for all that follow",
         {{4}, {4}, {4}, {4}, {4}, {4}, {4}},
         {4, 8},
         {{5, 6}, {3, 4}, {1, 2}, {0}}},
        {"a limit of 0 is one parameter each", {{4}, {4}, {0}}, {0}, {{2}, {1}, {0}}},
        {"types apart, each with its own place in the limits",
         {{4, float32}, {8, float64}, {4, float32}, {8, float64}, {4, float32}, {8, float64}},
         {4, 16},
         {{3, 5}, {2, 4}, {1}, {0}}},
        {"devices apart",
         {{4, float32, 0}, {4, float32, 1}, {4, float32, 0}, {4, float32, 1}},
         {8},
         {{1, 3}, {0, 2}}},
        {"sparse ones alone, without a place in the limits",
         {{4}, {4, float32, 0, true}, {4}, {4}},
         {8},
         {{3}, {1}, {0, 2}}},
        {"ordered by smallest parameter, not by when they were closed",
         {{4, float64}, {4, float32}, {4, float32}, {4, float64}},
         {8},
         {{1, 2}, {0, 3}}},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(plan_buckets(c.gradients, c.limits), c.expected) << c.why;
    }
}

TEST(BucketPlan, FollowsTheOrderInWhichGradientsGetReady) {
    struct OrderedCase : Case {
        std::vector<std::size_t> order;
    };

    const std::vector<OrderedCase> cases{
        {{"walked in that order, a small bucket first",
          {{4}, {4}, {4}, {4}, {4}},
          {4, 8},
          {{4}, {2, 3}, {0, 1}}},
         {4, 2, 3, 0, 1}},
        {{"in the order in which they were closed",
          {{4, float32}, {4, float64}, {4, float64}, {4, float32}},
          {8},
          {{2, 1}, {3, 0}}},
         {3, 2, 1, 0}},
        {{"those never full last, by their first parameter",
          {{4, float32}, {4, float64}, {4, float32}, {4, float32}, {4, float32}},
          {8},
          {{4, 3}, {2, 0}, {1}}},
         {4, 3, 1, 2, 0}},
        {{"a bucket begun anew counts from there",
          {{4, float32}, {4, float64}, {8, float32}},
          {8},
          {{2}, {1}, {0}}},
         {2, 1, 0}},
        {{"sparse ones when they get ready", {{4}, {4, float32, 0, true}, {4}}, {8}, {{1}, {0, 2}}},
         {0, 1, 2}},
    };
    for (const OrderedCase& c : cases) {
        EXPECT_EQ(plan_buckets(c.gradients, c.limits, c.order), c.expected) << c.why;
    }
}

TEST(BucketPlan, FillsBucketsOfAModelAsDocumented) {
    // A perceptron's weights and biases, 784 to 4096 to 4096 to 10, with DDP's 1 and 25 MiB.
    // Weights are 12.25, 64 and 0.16 MiB. Backward: the last layer and the 64 MiB make the first
    // bucket.
    const std::vector<GradientShape> gradients{
        {784 * 4096 * 4}, {4096 * 4}, {4096 * 4096 * 4}, {4096 * 4}, {4096 * 10 * 4}, {10 * 4}};
    const std::vector<std::uint64_t> limits{MiB, 25 * MiB};
    EXPECT_EQ(plan_buckets(gradients, limits, std::vector<std::size_t>{5, 4, 3, 2, 1, 0}),
              (Plan{{5, 4, 3, 2}, {1, 0}}));
    EXPECT_EQ(plan_buckets(gradients, limits), (Plan{{3, 4, 5}, {1, 2}, {0}}));
}

/// Models of all shapes.
std::vector<GradientShape> random_gradients(Random& random) {
    std::vector<GradientShape> gradients(random.below(40));
    for (GradientShape& gradient : gradients) {
        gradient.size_bytes = 8 * random.below(20);
        gradient.type = random.chance(0.3) ? float64 : float32;
        gradient.device = static_cast<int>(random.below(2));
        gradient.is_sparse = random.chance(0.1);
    }
    return gradients;
}

/// Every parameter once; buckets of one kind; each as full as its limit but for the last parameter.
void check(const Plan& plan,
           const std::vector<GradientShape>& gradients,
           const std::vector<std::uint64_t>& limits) {
    std::vector<std::size_t> seen;
    std::map<std::tuple<ElementType, int>, int> partly_filled;
    const std::uint64_t largest = *std::max_element(limits.begin(), limits.end());
    const std::uint64_t smallest = *std::min_element(limits.begin(), limits.end());
    for (const Bucket& bucket : plan) {
        ASSERT_FALSE(bucket.empty());
        seen.insert(seen.end(), bucket.begin(), bucket.end());
        const GradientShape& first = gradients[bucket.front()];
        std::uint64_t bytes = 0;
        for (const std::size_t parameter : bucket) {
            ASSERT_EQ(gradients[parameter].type, first.type);
            ASSERT_EQ(gradients[parameter].device, first.device);
            ASSERT_TRUE(bucket.size() == 1 || !gradients[parameter].is_sparse);
            bytes += gradients[parameter].size_bytes;
        }
        if (!first.is_sparse) {
            ASSERT_TRUE(bucket.size() == 1 ||
                        bytes - gradients[bucket.back()].size_bytes < largest);
            partly_filled[{first.type, first.device}] += bytes < smallest ? 1 : 0;
        }
    }
    for (const auto& [kind, count] : partly_filled) {
        ASSERT_LE(count, 1);
    }
    std::sort(seen.begin(), seen.end());
    std::vector<std::size_t> all(gradients.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    ASSERT_EQ(seen, all);
}

TEST(BucketPlan, TakesEveryParameterOnceIntoABucketOfItsKind) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Random random(seed);
        const auto gradients = random_gradients(random);
        const std::vector<std::uint64_t> limits{random.below(100), random.below(400)};
        const Plan plan = plan_buckets(gradients, limits);
        ASSERT_NO_FATAL_FAILURE(check(plan, gradients, limits));
        ASSERT_TRUE(std::is_sorted(plan.rbegin(), plan.rend(), [](const auto& a, const auto& b) {
            return a.front() < b.front();
        }));
        std::vector<std::size_t> order(gradients.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        const Plan forward = plan_buckets(gradients, limits, order);
        random.shuffle(std::span(order));
        ASSERT_NO_FATAL_FAILURE(check(plan_buckets(gradients, limits, order), gradients, limits));
        // In the order of the parameters themselves, the buckets are the same in another order.
        ASSERT_THAT(forward, testing::UnorderedElementsAreArray(plan));
    }
}

} // namespace
} // namespace muster::train
