#include <muster/base/error.hpp>
#include <muster/tune/search_space.hpp>

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <map>

namespace muster::tune {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST(SearchSpace, RefusesWhatCannotBeDrawnFrom) {
    struct Case {
        SearchSpace::Parameter parameter;
        std::string why;
    };

    const std::vector<Case> cases{
        {{"x", uniform(1, 1)}, "the lower bound 1 is not below the upper bound 1"},
        {{"x", uniform(2, 1)}, "the lower bound 2 is not below the upper bound 1"},
        {{"x", uniform(0, infinity)}, "the bounds 0 and inf are not both finite"},
        {{"x", uniform(NAN, 1)}, "the bounds nan and 1 are not both finite"},
        {{"x", uniform(-1.5e308, 1.5e308)}, "wider than a double can count"},
        {{"x", loguniform(0, 1)}, "a logarithmic scale begins above 0, so not at 0"},
        {{"x", loguniform(-1, 1)}, "a logarithmic scale begins above 0, so not at -1"},
        {{"x", loguniform(1e-1, 1e-4)}, "the lower bound 0.1 is not below the upper bound 0.0001"},
        {{"x", loguniform(1, NAN)}, "not both finite"},
        {{"x", randint(3, 3)}, "no integer lies in [3, 3); the upper bound is excluded"},
        {{"x", choice({})}, "nothing to choose from"},
        {{"x", choice({1, 2.5})},
         "the choices 1 (integer) and 2.5 (double) are of different types"},
    };
    for (const Case& c : cases) {
        try {
            const SearchSpace space{c.parameter};
            ADD_FAILURE() << "accepted: " << c.why;
        } catch (const UsageError& error) {
            EXPECT_THAT(error.what(), testing::HasSubstr("parameter 'x': "));
            EXPECT_THAT(error.what(), testing::HasSubstr(c.why));
        }
    }
    EXPECT_THROW((SearchSpace{{"", uniform(0, 1)}}), UsageError);
    EXPECT_THROW((SearchSpace{{"x", uniform(0, 1)}, {"x", randint(0, 1)}}), UsageError);
}

TEST(SearchSpace, DrawsWithinBounds) {
    Random random(1);
    constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    // Two neighbouring doubles: every rounding error would show.
    const double next = std::nextafter(1.0, 2.0);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(std::get<double>(sample(uniform(1.0, next), random)), 1.0);
        EXPECT_EQ(std::get<double>(sample(loguniform(1.0, next), random)), 1.0);
        const double rate = std::get<double>(sample(loguniform(1e-4, 1e-1), random));
        EXPECT_TRUE(rate >= 1e-4 && rate < 1e-1) << rate;
        EXPECT_LT(std::get<std::int64_t>(sample(randint(lowest, highest), random)), highest);
        EXPECT_EQ(std::get<std::int64_t>(sample(randint(highest - 1, highest), random)),
                  highest - 1);
    }
}

TEST(SearchSpace, DrawsAllValuesAboutEquallyOften) {
    Random random(2);
    std::map<std::int64_t, int> integers;
    std::map<std::string, int> names;
    std::map<int, int> decades;
    for (int i = 0; i < 3000; ++i) {
        ++integers[std::get<std::int64_t>(sample(randint(-1, 2), random))];
        ++names[std::get<std::string>(sample(choice({"adam", "sgd", "lamb"}), random))];
        const double rate = std::get<double>(sample(loguniform(1e-4, 1e-1), random));
        ++decades[static_cast<int>(std::floor(std::log10(rate)))];
    }
    EXPECT_THAT(integers, testing::SizeIs(3));
    EXPECT_THAT(names, testing::SizeIs(3));
    EXPECT_THAT(decades, testing::SizeIs(3));
    // A count is binomial with mean 1000 and deviation 26; five deviations.
    for (const auto& [value, count] : integers) {
        EXPECT_NEAR(count, 1000, 130) << value;
    }
    for (const auto& [value, count] : names) {
        EXPECT_NEAR(count, 1000, 130) << value;
    }
    for (const auto& [value, count] : decades) {
        EXPECT_NEAR(count, 1000, 130) << value;
    }
}

} // namespace
} // namespace muster::tune
