// Compressed gradients: a regression converges as well as with whole ones, and as many bytes travel
// as promised.

#include "members.hpp"

#include <muster/base/random.hpp>
#include <muster/train/gradient_reducer.hpp>
#include <muster/train/hook.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <functional>

namespace muster::test {
namespace {

using train::Backend;

/// Counts what a member gives to collectives.
class Counting final : public Backend {
public:
    explicit Counting(Backend& under) : under_(under) {}

    std::string_view name() const noexcept override { return under_.name(); }

    int rank() const noexcept override { return under_.rank(); }

    int size() const noexcept override { return under_.size(); }

    std::uint64_t bytes = 0;

private:
    class Forward final : public train::Pending {
    public:
        explicit Forward(train::Event event) : event_(std::move(event)) {}

        bool done() override { return event_.test(); }

        void wait() override { event_.wait(); }

        void give_up() noexcept override { event_ = {}; }

    private:
        train::Event event_;
    };

    std::unique_ptr<train::Pending> start(const Call& call) override {
        bytes += call.data.size_bytes();
        switch (call.kind) {
        case Kind::all_reduce:
            return std::make_unique<Forward>(under_.all_reduce(call.result, call.op));
        case Kind::reduce_scatter:
            return std::make_unique<Forward>(
                under_.reduce_scatter(call.data, call.result, call.op));
        case Kind::all_gather:
            break;
        case Kind::broadcast:
            return std::make_unique<Forward>(under_.broadcast(call.result, call.root));
        }
        return std::make_unique<Forward>(under_.all_gather(call.data, call.result));
    }

    Backend& under_;
};

constexpr std::size_t outputs = 16;
constexpr std::size_t inputs = 24;
constexpr std::size_t elements = outputs * inputs;

/// y = W x for a W of full rank: what PowerSGD cannot say at once.
struct Task {
    std::vector<float> truth = std::vector<float>(elements);

    Task() {
        Random random(3);
        for (float& weight : truth) {
            weight = static_cast<float>(random.normal());
        }
    }

    /// The gradient of half the mean square error over rows [begin, end), and that error.
    double gradient(std::span<const float> weights,
                    std::size_t begin,
                    std::size_t end,
                    std::span<float> into) const {
        std::fill(into.begin(), into.end(), 0.0F);
        double error = 0;
        const auto share = 1 / static_cast<float>(end - begin);
        for (std::size_t row = begin; row < end; ++row) {
            Random random(11, row);
            std::array<float, inputs> x;
            for (float& value : x) {
                value = static_cast<float>(random.normal());
            }
            for (std::size_t o = 0; o < outputs; ++o) {
                float difference = 0;
                for (std::size_t i = 0; i < inputs; ++i) {
                    difference += (weights[o * inputs + i] - truth[o * inputs + i]) * x[i];
                }
                error += double{difference} * double{difference};
                for (std::size_t i = 0; i < inputs; ++i) {
                    into[o * inputs + i] += share * difference * x[i];
                }
            }
        }
        return error / static_cast<double>(end - begin);
    }
};

struct Fit {
    double error = 0;        ///< At the end.
    std::uint64_t bytes = 0; ///< Per step and member, with the counts.
};

using MakeHook = std::function<std::shared_ptr<train::GradientHook>()>;

/// Gradient descent on 64 rows per step, a share of each per member.
Fit fit(int members, int steps, const MakeHook& make_hook) {
    Fit result;
    run_members("communicator", members, [&](Backend& under) {
        Counting backend(under);
        const Task task;
        std::vector<float> weights(elements);
        std::vector<float> gradient(elements);
        const auto hook = make_hook ? make_hook() : nullptr;
        const train::ReducerOptions options{.hook = hook.get()};
        train::GradientReducer reducer(backend, {std::span(gradient)}, options);
        const std::size_t rows = 64 / static_cast<std::size_t>(members);
        std::uint64_t before = 0;
        for (int step = 0; step < steps; ++step) {
            before = backend.bytes;
            const std::size_t begin = static_cast<std::size_t>(step % 16) * 64 +
                                      static_cast<std::size_t>(backend.rank()) * rows;
            task.gradient(weights, begin, begin + rows, gradient);
            reducer.begin(rows);
            reducer.mark_ready(0);
            (void)reducer.finish();
            for (std::size_t i = 0; i < elements; ++i) {
                weights[i] -= 0.1F * gradient[i];
            }
        }
        if (backend.rank() == 0) {
            result = {task.gradient(weights, 0, 1024, gradient), backend.bytes - before};
        }
    });
    return result;
}

constexpr std::uint64_t count_bytes = 16;

TEST(Hook, WithoutOneEveryFloatTravels) {
    const Fit plain = fit(2, 200, {});
    EXPECT_LT(plain.error, 1e-6); // of about 16 * 24 at the start
    EXPECT_EQ(plain.bytes, elements * 4 + count_bytes);
}

TEST(Hook, NarrowFloatsConvergeWithHalfTheBytes) {
    for (const auto type : {train::ElementType::float16, train::ElementType::bfloat16}) {
        for (const int members : {2, 4}) {
            const Fit narrow = fit(members, 200, [&] { return train::make_narrow_hook(type); });
            EXPECT_LT(narrow.error, 1e-5) << train::name_of(type);
            EXPECT_EQ(narrow.bytes, elements * 2 + count_bytes);
        }
    }
}

TEST(Hook, PowerSgdConvergesWithItsFactorsOnly) {
    for (const int members : {1, 2, 4}) {
        const Fit power = fit(members, 600, [] {
            return train::make_power_sgd_hook({.rank = 2, .rows = {outputs}});
        });
        EXPECT_LT(power.error, 1e-3) << members;
        if (members > 1) {
            EXPECT_EQ(power.bytes, 2 * (outputs + inputs) * 4 + count_bytes);
        }
    }
}

TEST(Hook, PowerSgdSendsAVectorAsItIs) {
    const Fit vector = fit(2, 200, [] { return train::make_power_sgd_hook({.rank = 2}); });
    EXPECT_LT(vector.error, 1e-6);
    EXPECT_EQ(vector.bytes, elements * 4 + count_bytes);
}

TEST(Hook, TopKConvergesWithAFewElements) {
    for (const int members : {2, 4}) {
        const Fit top = fit(members, 600, [] { return train::make_top_k_hook({.share = 0.1}); });
        EXPECT_LT(top.error, 1e-3) << members;
        EXPECT_EQ(top.bytes, 39 * 8 + count_bytes); // a tenth of 384, rounded up
    }
}

TEST(Hook, TopKOfAllIsTheSum) {
    const Fit all = fit(3, 100, [] { return train::make_top_k_hook({.share = 1}); });
    const Fit plain = fit(3, 100, {});
    EXPECT_NEAR(all.error, plain.error, 1e-3 * plain.error + 1e-9);
}

} // namespace
} // namespace muster::test
