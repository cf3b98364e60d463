// What GradientReducer has beside its steps (tests/unit/train): types, accumulation, parameters
// left out, members that run out, and what it says when members differ.

#include "members.hpp"

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/train/gradient_reducer.hpp>

#include <gmock/gmock.h>

#include <cmath>
#include <mutex>

namespace muster::test {
namespace {

using testing::HasSubstr;
using train::BFloat16;
using train::Float16;
using train::GradientReducer;
using train::ReducerOptions;
using train::Tensor;

class ReducerOn : public testing::TestWithParam<std::tuple<const char*, int>> {
protected:
    void run(const std::function<void(train::Backend&)>& body) const {
        run_members(std::get<0>(GetParam()), members, body);
    }

    int members = std::get<1>(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Backend,
                         ReducerOn,
                         testing::Combine(testing::Values("reference", "communicator"),
                                          testing::Values(1, 2, 3, 4)));

TEST_P(ReducerOn, AveragesEveryTypeOfFloat) {
    run([&](train::Backend& backend) {
        std::vector<float> a(5);
        std::vector<Float16> b(7);
        std::vector<BFloat16> c(9);
        std::vector<double> d(3);
        GradientReducer reducer(backend,
                                {std::span(a), std::span(b), std::span(c), std::span(d)},
                                {.first_bucket_bytes = 8, .bucket_bytes = 8});
        for (int step = 0; step < 3; ++step) {
            // The mean of rank + step over ranks counted alike: halves of small integers are exact,
            // thirds are rounded once per type.
            const auto value = static_cast<float>(backend.rank() + step);
            const float mean = static_cast<float>(step) + static_cast<float>(members - 1) / 2;
            std::fill(a.begin(), a.end(), value);
            std::fill(b.begin(), b.end(), train::to_float16(value));
            std::fill(c.begin(), c.end(), train::to_bfloat16(value));
            std::fill(d.begin(), d.end(), value);
            reducer.begin(10);
            for (const std::size_t parameter : {2U, 0U, 3U, 1U}) {
                reducer.mark_ready(parameter);
            }
            EXPECT_EQ(reducer.finish(), 10U * static_cast<unsigned>(members));
            EXPECT_NEAR(a[4], mean, 1e-6);
            EXPECT_NEAR(d[2], mean, 1e-15);
            // Each of up to 4 addends, and the sum, is rounded to 2^-11 or 2^-8 of itself.
            EXPECT_NEAR(train::to_float(b[6]), mean, 2 * 0x1p-11 * mean);
            EXPECT_NEAR(train::to_float(c[8]), mean, 2 * 0x1p-8 * mean);
        }
    });
}

TEST_P(ReducerOn, AveragesOverManySamplesDoNotOverflowIn16Bits) {
    run([&](train::Backend& backend) {
        std::vector<Float16> gradient(4, train::to_float16(1000));
        GradientReducer reducer(backend, {std::span(gradient)});
        reducer.begin(1000000);
        reducer.mark_ready(0);
        (void)reducer.finish();
        EXPECT_NEAR(train::to_float(gradient[3]), 1000, 2); // 1000 / 3 and their sum, to 2^-11
    });
}

TEST_P(ReducerOn, AccumulatesPassesAndSendsTheirAverage) {
    run([&](train::Backend& backend) {
        std::vector<float> a(3);
        std::vector<double> b(2);
        GradientReducer reducer(backend, {std::span(a), std::span(b)});
        for (int step = 0; step < 3; ++step) {
            // As many passes as rank + 1, of so many samples each: pass k has gradient k.
            const int passes = backend.rank() + 1;
            for (int pass = 0; pass < passes; ++pass) {
                std::fill(a.begin(), a.end(), static_cast<float>(pass));
                std::fill(b.begin(), b.end(), pass);
                if (pass + 1 < passes) {
                    reducer.begin_accumulation(static_cast<std::uint64_t>(pass + 1));
                } else {
                    reducer.begin(static_cast<std::uint64_t>(pass + 1));
                }
                reducer.mark_ready(1);
                if (pass + 1 == passes || pass != 0) {
                    reducer.mark_ready(0); // one not marked adds nothing, as a gradient of 0 does
                }
                (void)reducer.finish();
            }
            double sum = 0;
            double samples = 0;
            for (int member = 0; member < members; ++member) {
                for (int pass = 0; pass <= member; ++pass) {
                    sum += pass * (pass + 1);
                    samples += pass + 1;
                }
            }
            EXPECT_FLOAT_EQ(a[2], static_cast<float>(sum / samples));
            EXPECT_DOUBLE_EQ(b[1], sum / samples);
        }
    });
}

TEST_P(ReducerOn, LeavesGradientsOfParametersThatNobodyUsed) {
    run([&](train::Backend& backend) {
        std::vector<float> a(3, 7);
        std::vector<float> b(3, 8);
        std::vector<float> c(3, 9);
        const ReducerOptions options{.find_unused = true};
        GradientReducer reducer(backend, {std::span(a), std::span(b), std::span(c)}, options);
        for (int step = 0; step < 3; ++step) {
            std::fill(c.begin(), c.end(), 9.0F);
            reducer.begin(2);
            reducer.mark_unused(0);
            if (backend.rank() == 0) {
                b.assign(3, 4);
                reducer.mark_ready(1); // by one member
            } else {
                b.assign(3, NAN);
                reducer.mark_unused(1);
            }
            reducer.mark_ready(2);
            (void)reducer.finish();
            EXPECT_EQ(a, std::vector<float>(3, 7));
            EXPECT_EQ(b, std::vector<float>(3, 8.0F / static_cast<float>(2 * members)));
            EXPECT_EQ(c, std::vector<float>(3, 9));
        }
    });
}

TEST_P(ReducerOn, MembersThatRanOutAnswerUntilAllHave) {
    run([&](train::Backend& backend) {
        std::vector<float> gradient(3);
        GradientReducer reducer(backend, {std::span(gradient)});
        std::vector<float> seen;
        const int steps = 2 * backend.rank(); // of its own; the last member has most
        const int all = 2 * (members - 1);
        const auto update = [&](std::uint64_t) { seen.push_back(gradient[1]); };
        for (int step = 0; step < steps; ++step) {
            gradient.assign(3, static_cast<float>(backend.rank()));
            reducer.begin(step == 1 ? 0 : 5); // an empty piece is not the end
            reducer.mark_ready(0);
            update(reducer.finish());
        }
        EXPECT_EQ(reducer.join(update), static_cast<std::uint64_t>(all - steps));
        ASSERT_EQ(seen.size(), static_cast<std::size_t>(all));
        for (int step = 0; step < all; ++step) {
            float sum = 0;
            float count = 0;
            for (int member = 0; member < members; ++member) {
                if (step < 2 * member && step != 1) {
                    sum += static_cast<float>(member);
                    count += 1;
                }
            }
            EXPECT_FLOAT_EQ(seen[static_cast<std::size_t>(step)], count == 0 ? 0 : sum / count);
        }
    });
}

TEST(Reducer, NamesTheFirstParameterThatDiffersAndTheMembers) {
    std::mutex mutex;
    std::vector<std::string> texts;
    const auto construct = [&](auto make) {
        texts.clear();
        EXPECT_ANY_THROW(run_members("reference", 3, [&](train::Backend& backend) {
            try {
                make(backend);
            } catch (const UsageError& error) {
                const std::lock_guard lock(mutex);
                texts.emplace_back(error.what());
                throw;
            }
        }));
        EXPECT_EQ(texts.size(), 3U);
    };
    std::vector<float> floats(4);
    std::vector<double> doubles(4);
    construct([&](train::Backend& backend) {
        const Tensor other =
            backend.rank() == 0 ? Tensor(std::span(floats)) : Tensor(std::span(doubles));
        GradientReducer reducer(backend, {std::span(floats), other, std::span(floats)});
    });
    EXPECT_THAT(texts.back(), HasSubstr("members 1, 2 of the gang has other parameters"));
    EXPECT_THAT(texts.back(),
                HasSubstr("parameter 1 is the first to differ, with 4 elements of float64 on "
                          "member 1 and 4 elements of float32 on member 0"));
    construct([&](train::Backend& backend) {
        std::vector<Tensor> tensors(backend.rank() == 2 ? 3 : 2, std::span(floats));
        GradientReducer reducer(backend, tensors);
    });
    EXPECT_THAT(texts.back(), HasSubstr("member 2 of the gang"));
    EXPECT_THAT(texts.back(), HasSubstr("parameter 2 is the first that not all have"));
    construct([&](train::Backend& backend) {
        GradientReducer reducer(backend, {std::span(floats)}, {.find_unused = backend.rank() == 1});
    });
    EXPECT_THAT(texts.back(), HasSubstr("member 1 of the gang has another hook, or find_unused"));
}

TEST(Reducer, RefusesWhatIsNoGradient) {
    run_members("reference", 2, [](train::Backend& backend) {
        std::vector<std::uint8_t> bytes(4);
        EXPECT_THROW(GradientReducer(backend, {std::span(bytes)}), UsageError);
        std::vector<float> floats(4);
        GradientReducer reducer(backend, {std::span(floats)});
        reducer.begin(1);
        EXPECT_THROW(reducer.mark_unused(0), UsageError);
        reducer.mark_ready(0);
        (void)reducer.finish();
    });
}

} // namespace
} // namespace muster::test
