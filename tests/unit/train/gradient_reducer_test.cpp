#include "local_gang.hpp"

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/train/gradient_reducer.hpp>

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <numeric>

namespace muster::train {
namespace {

using testing::HasSubstr;

/// Gradients of a small model, float and double, one of them empty.
struct Model {
    std::vector<float> a = std::vector<float>(50);
    std::vector<double> b = std::vector<double>(30);
    std::vector<float> c = std::vector<float>(0);
    std::vector<float> d = std::vector<float>(700);
    std::vector<double> e = std::vector<double>(90);
    std::vector<float> f = std::vector<float>(1);

    static constexpr std::size_t parameters = 6;

    std::vector<ParameterView> views() {
        return {std::span(a), std::span(b), std::span(c), std::span(d), std::span(e), std::span(f)};
    }

    /// Calls value(element's number in the model) for all of a parameter.
    template <class F>
    void set(std::size_t parameter, F value) {
        std::visit(
            [&]<class T>(std::span<T> values) {
                for (std::size_t i = 0; i < values.size(); ++i) {
                    values[i] = static_cast<T>(value(parameter * 1000 + i));
                }
            },
            views()[parameter]);
    }

    bool operator==(const Model&) const = default;
};

/// Buckets of about 200 bytes, then 1000: four in the model above.
constexpr ReducerOptions small_buckets{.first_bucket_bytes = 200, .bucket_bytes = 1000};

/// A gradient's element: a small integer, so that sums of it are exact in any order, also weighted.
/// A mean that is computed in double and rounded to float is that computed in float: rounding a
/// quotient twice is harmless, as 53 >= 2 * 24 + 2 (Figueroa, SIGNUM Newsletter 30, 1995).
double element(int member, int step, std::size_t number) {
    Random random(static_cast<std::uint64_t>(member * 100 + step), number);
    return static_cast<double>(random.between(-1000, 1000));
}

/// The order in which a member's gradients get ready in a step.
std::vector<std::size_t> order_of(int member, int step) {
    std::vector<std::size_t> order(Model::parameters);
    std::iota(order.begin(), order.end(), std::size_t{0});
    Random(static_cast<std::uint64_t>(member), static_cast<std::uint64_t>(step))
        .shuffle(std::span(order));
    return order;
}

using Engine = test::GangOptions::Engine;

class GradientReducerOn : public testing::TestWithParam<std::tuple<int, Engine>> {
protected:
    void run_gang(const test::GangBody& body) const {
        test::run_gang(members, body, {.engine = engine});
    }

    int members = std::get<0>(GetParam());
    Engine engine = std::get<1>(GetParam());
};

TEST_P(GradientReducerOn, AveragesWhateverTheOrderInWhichGradientsGetReady) {
    run_gang([&](Communicator& communicator) {
        Model model;
        GradientReducer reducer(communicator, model.views(), small_buckets);
        for (int step = 0; step < 5; ++step) {
            reducer.begin();
            for (const std::size_t parameter : order_of(communicator.rank(), step)) {
                model.set(parameter, [&](std::size_t number) {
                    return element(communicator.rank(), step, number);
                });
                reducer.mark_ready(parameter);
            }
            EXPECT_EQ(reducer.finish(), static_cast<std::uint64_t>(members));
            Model expected;
            for (std::size_t parameter = 0; parameter < Model::parameters; ++parameter) {
                expected.set(parameter, [&](std::size_t number) {
                    double sum = 0;
                    for (int member = 0; member < members; ++member) {
                        sum += element(member, step, number);
                    }
                    return sum / members;
                });
            }
            EXPECT_EQ(model, expected) << "member " << communicator.rank() << " step " << step;
        }
    });
}

TEST_P(GradientReducerOn, WeighsByTrueSampleCounts) {
    // Member 1 has none: its gradients are NaN, and it marks none of them, or some.
    const auto samples_of = [](int member, int step) -> std::uint64_t {
        return member == 1 ? 0 : static_cast<std::uint64_t>(3 + member + step);
    };
    run_gang([&](Communicator& communicator) {
        const int self = communicator.rank();
        Model model;
        GradientReducer reducer(communicator, model.views(), small_buckets);
        for (int step = 0; step < 4; ++step) {
            const std::uint64_t samples = samples_of(self, step);
            reducer.begin(samples);
            for (const std::size_t parameter : order_of(self, step)) {
                model.set(parameter, [&](std::size_t number) {
                    return samples == 0 ? std::nan("") : element(self, step, number);
                });
                if (samples > 0 || (step == 2 && parameter > 3)) {
                    reducer.mark_ready(parameter);
                }
            }
            std::uint64_t all = 0;
            for (int member = 0; member < members; ++member) {
                all += samples_of(member, step);
            }
            EXPECT_EQ(reducer.finish(), all);
            Model expected;
            for (std::size_t parameter = 0; parameter < Model::parameters; ++parameter) {
                expected.set(parameter, [&](std::size_t number) {
                    double sum = 0;
                    for (int member = 0; member < members; ++member) {
                        sum += static_cast<double>(samples_of(member, step)) *
                               element(member, step, number);
                    }
                    return sum / static_cast<double>(all);
                });
            }
            EXPECT_EQ(model, expected) << "member " << self << " step " << step;
        }
    });
}

TEST_P(GradientReducerOn, TakesGradientsFromWhereTheyAreInThisStep) {
    run_gang([&](Communicator& communicator) {
        std::vector<float> announced(3, -1);
        GradientReducer reducer(communicator, {std::span(announced)});
        for (int step = 0; step < 3; ++step) {
            std::vector<float> gradient(3, static_cast<float>(communicator.rank() + step));
            reducer.begin();
            reducer.mark_ready(0, std::span(gradient));
            (void)reducer.finish();
            // Sums of small integers are exact, and the quotient is rounded the same here.
            const float sum = static_cast<float>(members * (members - 1) / 2 + members * step);
            EXPECT_THAT(gradient, testing::Each(sum / static_cast<float>(members)));
            EXPECT_THAT(announced, testing::Each(-1));
        }
        reducer.begin();
        std::vector<float> other(4);
        EXPECT_THROW(reducer.mark_ready(0, std::span(other)), UsageError);
        reducer.mark_ready(0, std::span(announced));
        (void)reducer.finish();
        EXPECT_THAT(announced, testing::Each(-1));
    });
}

TEST_P(GradientReducerOn, MakesTheAverageOverNoSamplesZero) {
    run_gang([&](Communicator& communicator) {
        Model model;
        model.set(3, [](std::size_t) { return std::nan(""); });
        GradientReducer reducer(communicator, model.views());
        reducer.begin(0);
        EXPECT_EQ(reducer.finish(), 0U);
        EXPECT_EQ(model, Model());
    });
}

TEST_P(GradientReducerOn, MakesBucketsOnceInTheOrderSeenByMember0) {
    std::vector<std::vector<Bucket>> plans(static_cast<std::size_t>(members));
    run_gang([&](Communicator& communicator) {
        Model model;
        GradientReducer reducer(communicator, model.views(), small_buckets);
        // Doubles last, as the last type's first parameter is 1 and the first type's 0; reversed.
        EXPECT_EQ(reducer.buckets(), (std::vector<Bucket>{{1, 4}, {0, 2, 3, 5}}));
        for (int step = 0; step < 3; ++step) {
            reducer.begin();
            for (const std::size_t parameter : order_of(communicator.rank(), step)) {
                reducer.mark_ready(parameter);
            }
            (void)reducer.finish();
            auto& plan = plans[static_cast<std::size_t>(communicator.rank())];
            if (step == 0) {
                plan = reducer.buckets();
            }
            EXPECT_EQ(reducer.buckets(), plan);
        }
    });
    const std::vector<GradientShape> shapes{{200, ElementType::float32},
                                            {240, ElementType::float64},
                                            {0, ElementType::float32},
                                            {2800, ElementType::float32},
                                            {720, ElementType::float64},
                                            {4, ElementType::float32}};
    const auto expected =
        plan_buckets(shapes, std::array<std::uint64_t, 2>{200, 1000}, order_of(0, 0));
    for (const auto& plan : plans) {
        EXPECT_EQ(plan, expected);
    }
}

TEST_P(GradientReducerOn, GivesTheSameBitsWhateverTheBucketsTheOrderAndTheEngine) {
    // Not integers, so that every other order of adding would show.
    std::vector<Model> models;
    for (const std::uint64_t bucket_bytes : {0ULL, 300ULL, 1'000'000ULL}) {
        for (int order = 0; order < 2; ++order) {
            const auto train = [&](Communicator& communicator) {
                Model model;
                GradientReducer reducer(
                    communicator,
                    model.views(),
                    {.first_bucket_bytes = bucket_bytes, .bucket_bytes = bucket_bytes});
                for (int step = 0; step < 2; ++step) {
                    reducer.begin(static_cast<std::uint64_t>(7 + communicator.rank()));
                    for (const auto parameter : order_of(communicator.rank() + 50 * order, step)) {
                        model.set(parameter, [&](std::size_t number) {
                            return 1 / (element(communicator.rank(), step, number) + 0.5);
                        });
                        reducer.mark_ready(parameter);
                    }
                    (void)reducer.finish();
                }
                if (communicator.rank() == 0) {
                    models.push_back(model);
                }
            };
            test::run_gang(members, train, {.engine = order == 0 ? engine : Engine::messages});
        }
    }
    for (const Model& model : models) {
        EXPECT_EQ(model, models.front());
    }
}

TEST_P(GradientReducerOn, BroadcastsTheParametersOfMember0) {
    run_gang([&](Communicator& communicator) {
        Model model;
        Model expected;
        for (std::size_t parameter = 0; parameter < Model::parameters; ++parameter) {
            const auto of = [&](int member) {
                return [=](std::size_t number) { return element(member, 0, number); };
            };
            model.set(parameter, of(communicator.rank()));
            expected.set(parameter, of(0));
        }
        broadcast_parameters(communicator, model.views());
        EXPECT_EQ(model, expected);
    });
}

INSTANTIATE_TEST_SUITE_P(Members,
                         GradientReducerOn,
                         testing::Combine(testing::Values(1, 2, 3, 4, 7),
                                          testing::Values(Engine::messages, Engine::one_segment)),
                         [](const auto& instance) {
                             return std::to_string(std::get<0>(instance.param)) +
                                    (std::get<1>(instance.param) == Engine::messages
                                         ? "ByMessages"
                                         : "InSharedMemory");
                         });

/// What a call throws.
template <class F>
std::string error_of(F call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(GradientReducer, NamesWhatWasMarkedTwiceNotAtAllOrOutsideAStep) {
    for (const int members : {1, 2}) {
        test::run_gang(members, [&](Communicator& communicator) {
            Model model;
            GradientReducer reducer(communicator, model.views());
            EXPECT_THAT(error_of([&] { reducer.mark_ready(0); }),
                        HasSubstr("mark_ready() was called outside a step"));
            EXPECT_THAT(error_of([&] { (void)reducer.finish(); }),
                        HasSubstr("finish() was called outside a step"));
            reducer.begin();
            EXPECT_THAT(error_of([&] { reducer.mark_ready(6); }),
                        HasSubstr("parameter 6 was marked ready, but there are 6"));
            for (const std::size_t parameter : {5U, 2U, 0U}) {
                reducer.mark_ready(parameter);
            }
            EXPECT_THAT(error_of([&] { reducer.mark_ready(2); }),
                        HasSubstr("parameter 2 was marked ready twice"));
            EXPECT_THAT(error_of([&] { (void)reducer.finish(); }),
                        HasSubstr("3 of 6 parameters were not marked: 1, 3, 4;"));
            EXPECT_THAT(error_of([&] { reducer.begin(); }), HasSubstr("not ready were 1, 3, 4;"));
            for (const std::size_t parameter : {1U, 3U, 4U}) {
                reducer.mark_ready(parameter);
            }
            EXPECT_THAT(error_of([&] { reducer.begin(3); }),
                        HasSubstr("before the one before was finished;"));
            (void)reducer.finish();
            reducer.begin(); // what was refused has left no trace
        });
    }
}

TEST(GradientReducer, StartsABucketAsSoonAsItIsComplete) {
    // Member 0 completes a bucket and then meets the others; the others meet first. If the bucket
    // is on its way by then, as it should be, these calls do not match.
    const auto outcomes = test::outcomes_of_gang(2, [&](Communicator& communicator) {
        std::vector<float> first(10);
        std::vector<double> second(10);
        GradientReducer reducer(communicator, {std::span(first), std::span(second)});
        reducer.begin();
        if (communicator.rank() == 0) {
            reducer.mark_ready(1);
        }
        communicator.barrier();
    });
    for (const auto& outcome : outcomes) {
        EXPECT_NE(outcome, nullptr);
    }
}

TEST(GradientReducer, StartsBucketsInTheirOrderOnly) {
    // The other way round: bucket 1 is complete, but bucket 0 is not, so nothing is on its way.
    test::run_gang(2, [&](Communicator& communicator) {
        std::vector<float> first(10);
        std::vector<double> second(10);
        GradientReducer reducer(communicator, {std::span(first), std::span(second)});
        reducer.begin();
        if (communicator.rank() == 0) {
            reducer.mark_ready(0);
        }
        communicator.barrier();
        if (communicator.rank() == 1) {
            reducer.mark_ready(0);
        }
        reducer.mark_ready(1);
        (void)reducer.finish();
    });
}

TEST(GradientReducer, NamesAMemberWhoseParametersDiffer) {
    const auto outcomes = test::outcomes_of_gang(3, [&](Communicator& communicator) {
        std::vector<float> first(communicator.rank() == 2 ? 20 : 10);
        std::vector<float> second(communicator.rank() == 2 ? 10 : 20);
        GradientReducer reducer(communicator, {std::span(first), std::span(second)});
    });
    // Who is told by another's end is told the same.
    for (const auto& outcome : outcomes) {
        ASSERT_NE(outcome, nullptr);
        EXPECT_THAT(error_of([&] { std::rethrow_exception(outcome); }),
                    HasSubstr("member 2 of the gang has other parameters than member 0"));
    }
}

TEST(GradientReducer, ReleasesTheOthersWhenAMemberThrows) {
    const auto outcomes = test::outcomes_of_gang(3, [&](Communicator& communicator) {
        Model model;
        GradientReducer reducer(communicator, model.views(), small_buckets);
        for (int step = 0; step < 3; ++step) {
            reducer.begin(32);
            for (std::size_t parameter = Model::parameters; parameter-- > 0;) {
                reducer.mark_ready(parameter);
                if (step == 2 && parameter == 3 && communicator.rank() == 1) {
                    throw std::runtime_error("out of memory");
                }
            }
            (void)reducer.finish();
        }
    });
    EXPECT_THROW(std::rethrow_exception(outcomes[1]), std::runtime_error);
    for (const int other : {0, 2}) {
        ASSERT_NE(outcomes[static_cast<std::size_t>(other)], nullptr);
        try {
            std::rethrow_exception(outcomes[static_cast<std::size_t>(other)]);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::aborted);
        }
    }
}

} // namespace
} // namespace muster::train
