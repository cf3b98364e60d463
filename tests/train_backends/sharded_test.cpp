#include "members.hpp"
#include "perceptron.hpp"

#include <muster/base/error.hpp>
#include <muster/train/mixed_precision.hpp>
#include <muster/train/optimizer.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace muster::test {
namespace {

using train::Sharding;

constexpr Sharding shardings[] = {
    Sharding::none, Sharding::state, Sharding::gradients, Sharding::parameters};

/// What member 0 has after training; members must agree.
Trained train_on(const char* backend,
                 int members,
                 const train::OptimizerFactory& optimizer,
                 const train::ShardedOptions& options) {
    std::vector<Trained> all(static_cast<std::size_t>(members));
    run_members(backend, members, [&](train::Backend& own) {
        all[static_cast<std::size_t>(own.rank())] = train_perceptron(own, optimizer, options, 30);
    });
    for (const Trained& member : all) {
        EXPECT_EQ(member.parameters, all.front().parameters);
    }
    return all.front();
}

/// Gradients of members are added in another order than those of one: errors of 2^-24 of terms of
/// size 1, a few tens of them, per step; 30 steps of rate 0.05 leave less than 30 * 0.05 * 40 *
/// 2^-24 < 4e-6, times what the network makes of it, below 10. AdamW divides by the gradient's own
/// size, so that its relative errors count: 30 * 0.01 * 1e-5 * 100.
constexpr double tolerance = 5e-5;

TEST(ShardedModel, FollowsTheSameTrajectoryHoweverItIsSharded) {
    const train::OptimizerFactory optimizers[] = {
        train::sgd({.learning_rate = 0.05}),
        train::sgd(
            {.learning_rate = 0.05, .momentum = 0.9, .is_nesterov = true, .weight_decay = 0.01}),
        train::adamw({.learning_rate = 0.01, .epsilon = 1e-4})};
    for (const auto& optimizer : optimizers) {
        const Trained one =
            train_on("reference", 1, optimizer, {.sharding = Sharding::none, .norm_max = 2.0});
        EXPECT_LT(one.last_loss, 0.6 * one.first_loss);
        for (const int members : {1, 2, 3, 4}) {
            for (const Sharding sharding : shardings) {
                const Trained many = train_on(
                    "communicator", members, optimizer, {.sharding = sharding, .norm_max = 2.0});
                ASSERT_EQ(many.parameters.size(), one.parameters.size());
                for (std::size_t i = 0; i < one.parameters.size(); ++i) {
                    ASSERT_NEAR(many.parameters[i], one.parameters[i], tolerance)
                        << members << " members, sharding " << static_cast<int>(sharding)
                        << ", element " << i;
                }
            }
        }
    }
}

TEST(ShardedModel, HoldsLessTheMoreMembersThereAre) {
    const auto optimizer = train::adamw({});
    const auto held = [&](int members, Sharding sharding) {
        return train_on("reference", members, optimizer, {.sharding = sharding}).held;
    };
    const auto whole = held(1, Sharding::none);
    const std::uint64_t parameters = whole.parameters;
    EXPECT_EQ(whole.gradients, parameters);
    EXPECT_EQ(whole.state, 2 * parameters);
    for (const std::uint64_t members : {2U, 4U}) {
        const auto n = static_cast<int>(members);
        EXPECT_EQ(held(n, Sharding::none).total(), 4 * parameters);
        EXPECT_EQ(held(n, Sharding::state).total(), 2 * parameters + 2 * parameters / members);
        EXPECT_EQ(held(n, Sharding::gradients).total(), parameters + 3 * parameters / members);
        EXPECT_EQ(held(n, Sharding::parameters).total(), 4 * parameters / members);
    }
}

TEST(ShardedModel, LeavesOutAStepThatOverflowed) {
    for (const Sharding sharding : shardings) {
        run_members("reference", 2, [&](train::Backend& backend) {
            train::ShardedModel model(
                backend,
                {3},
                train::sgd({.learning_rate = 1}),
                {.sharding = sharding,
                 .scaling = train::LossScalerOptions{.initial_scale = 8, .growth_interval = 2}});
            const auto step = [&](float value) {
                model.begin(1);
                auto gradient = model.gradient(0);
                std::fill(gradient.begin(), gradient.end(), value);
                model.reduce(0);
                return model.step();
            };
            EXPECT_FALSE(step(backend.rank() == 0 ? INFINITY : 1).is_taken);
            EXPECT_EQ(model.loss_scale(), 4);
            EXPECT_EQ(model.gather(0)[2], 0);
            model.release(0);
            EXPECT_TRUE(step(4).is_taken);
            EXPECT_EQ(model.gather(0)[2], -1); // 4 / 4
            model.release(0);
            EXPECT_TRUE(step(4).is_taken);
            EXPECT_EQ(model.loss_scale(), 8);
        });
    }
}

TEST(ShardedModel, MembersWithoutSamplesCountNothing) {
    run_members("reference", 3, [](train::Backend& backend) {
        train::ShardedModel model(backend, {4}, train::sgd({.learning_rate = 1}), {});
        model.begin(backend.rank() == 1 ? 0 : 2);
        auto gradient = model.gradient(0);
        std::fill(gradient.begin(), gradient.end(), backend.rank() == 1 ? NAN : 3.0F);
        model.reduce(0);
        EXPECT_EQ(model.step().samples, 4U);
        EXPECT_EQ(model.gather(0)[3], -3);
        model.begin(0);
        (void)model.gradient(0);
        EXPECT_THROW((void)model.step(), UsageError);
        model.reduce(0);
        EXPECT_FALSE(model.step().is_taken);
    });
}

TEST(Optimizer, FollowsTheFormulasByHand) {
    std::vector<float> p{1};
    const std::vector<float> g{0.5F};
    const auto nesterov =
        train::sgd({.learning_rate = 0.1, .momentum = 0.9, .is_nesterov = true})();
    nesterov->step(p, g); // v = 0.5; p = 1 - 0.1 (0.5 + 0.45)
    EXPECT_FLOAT_EQ(p[0], 0.905F);
    nesterov->step(p, g); // v = 0.95; p -= 0.1 (0.5 + 0.855)
    EXPECT_FLOAT_EQ(p[0], 0.7695F);
    p = {1};
    const auto adam = train::adamw({.learning_rate = 0.1, .weight_decay = 0.5})();
    adam->step(p, g); // both moments corrected to the gradient: p = 0.95 * 1 - 0.1
    EXPECT_NEAR(p[0], 0.85, 1e-6);
    EXPECT_EQ(adam->held_bytes(), 8U);
    EXPECT_THROW(adam->step(p, std::vector<float>(2)), UsageError);
}

TEST(Clipping, ShortensToTheGlobalNorm) {
    std::vector<float> a{3};
    std::vector<float> b{0, 4};
    const std::span<float> both[] = {std::span(a), std::span(b)};
    EXPECT_DOUBLE_EQ(train::clip_by_global_norm(both, 10), 5);
    EXPECT_EQ(a[0], 3);
    EXPECT_DOUBLE_EQ(train::clip_by_global_norm(both, 1), 5);
    EXPECT_FLOAT_EQ(a[0], 0.6F);
    EXPECT_FLOAT_EQ(b[1], 0.8F);
    a[0] = NAN;
    EXPECT_TRUE(std::isnan(train::clip_by_global_norm(both, 1)));
}

} // namespace
} // namespace muster::test
