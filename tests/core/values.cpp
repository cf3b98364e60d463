#include "body.hpp"

#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>

namespace muster::test {
namespace {

double half(double x) {
    return x / 2;
}

std::string join(const std::string& a, std::string b, char separator) noexcept {
    return a + separator + b;
}

void nothing() {
}

struct Layer {
    int width = 64;
    std::optional<double> dropout = 0.5;

    bool operator==(const Layer&) const = default;
};

enum class Optimizer : std::uint8_t { sgd, adam };

struct Config {
    double rate = 1e-3;
    Optimizer optimizer = Optimizer::adam;
    std::vector<Layer> layers{Layer{}, Layer{.width = 32, .dropout = {}}};
    std::map<std::string, std::vector<int>> tags;
    std::variant<int, std::string, Layer> extra = "none";
    std::pair<bool, char> flags{true, 'x'};

    bool operator==(const Config&) const = default;
};

struct Empty {
    bool operator==(const Empty&) const = default;
};

Config widen(Config config, const Layer& last) {
    config.layers.push_back(last);
    config.extra = last;
    return config;
}

Empty keep_empty(const Empty& nothing_inside) {
    return nothing_inside;
}

std::set<std::string> words(const std::vector<std::string>& all) {
    return {all.begin(), all.end()};
}

std::variant<int, std::string> parse(const std::optional<std::string>& text) {
    if (text) {
        return *text;
    }
    return -1;
}

std::string repeat(const std::string& text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) {
        result += text;
    }
    return result;
}

std::vector<std::int64_t> count_from(std::int64_t first, std::size_t count) {
    std::vector<std::int64_t> values(count);
    std::iota(values.begin(), values.end(), first);
    return values;
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
    return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

} // namespace

MUSTER_BODY(FunctionsAndLambdasReturnTheirValues) {
    auto a = task<&half>(3.0);
    auto b = task<[](double x) { return x * x; }>(3.0);
    auto c = task<&join>("left", std::string("right"), '-');
    auto d = task<[]() noexcept { return true; }>();
    EXPECT_EQ(a.get(), 1.5);
    EXPECT_EQ(b.get(), 9.0);
    EXPECT_EQ(c.get(), "left-right");
    EXPECT_TRUE(d.get());
}

MUSTER_BODY(VoidTasksAreDoneWithoutAValue) {
    auto done = task<&nothing>();
    done.get();
    EXPECT_TRUE(done.ready());
    done.get();
}

MUSTER_BODY(ArgumentsConvertToTheParametersType) {
    const short narrow = 5;
    EXPECT_EQ(task<&half>(narrow).get(), 2.5);
    const char* text = "pointer to characters";
    EXPECT_EQ(task<&join>(text, "", '!').get(), "pointer to characters!");
}

MUSTER_BODY(StructsTravelAsTheyAre) {
    const Config config{.tags = {{"a", {1, 2, 3}}, {"", {}}}};
    Config expected = config;
    expected.layers.push_back({.width = 7, .dropout = 0.25});
    expected.extra = Layer{.width = 7, .dropout = 0.25};
    for (int rank = 0; rank < rank_count(); ++rank) {
        auto widened = task<&widen>.with({.placement = on_rank(rank)})(
            config, Layer{.width = 7, .dropout = 0.25});
        EXPECT_EQ(widened.get(), expected);
    }
    EXPECT_EQ(task<&keep_empty>(Empty{}).get(), Empty{});
}

MUSTER_BODY(ContainersVariantsAndOptionalsTravel) {
    EXPECT_EQ(task<&words>(std::vector<std::string>{"b", "a", "b"}).get(),
              (std::set<std::string>{"a", "b"}));
    EXPECT_EQ(task<&words>(std::vector<std::string>{}).get(), std::set<std::string>{});
    EXPECT_EQ(task<&parse>("x").get(), (std::variant<int, std::string>("x")));
    EXPECT_EQ(task<&parse>(std::nullopt).get(), (std::variant<int, std::string>(-1)));
    const auto tuple = task<[](std::tuple<int, std::array<bool, 3>> in) {
        return std::tuple_cat(in, std::tuple<std::string>("end"));
    }>(std::tuple{4, std::array{true, false, true}});
    EXPECT_EQ(tuple.get(), (std::tuple{4, std::array{true, false, true}, std::string("end")}));
}

MUSTER_BODY(EveryRankReturnsValuesOfSizesAroundTheLimits) {
    for (const std::size_t limit : {0U, 1024U, 2048U, 4096U, 65536U, 1U << 20}) {
        for (const std::size_t size : {limit == 0 ? 0 : limit - 17, limit, limit + 1}) {
            const std::string text(size, 'x');
            std::vector<Future<std::string>> results;
            for (int rank = 0; rank < rank_count(); ++rank) {
                results.push_back(
                    task<&repeat>.with({.placement = on_rank(rank)})(text, std::size_t{1}));
            }
            for (auto& result : results) {
                EXPECT_EQ(result.get(), text);
            }
        }
    }
}

MUSTER_BODY(BigVectorsGoFromAnyRankToAnyOther) {
    const int ranks = rank_count();
    constexpr std::size_t count = 500'000; // 4 MB
    std::vector<Future<std::vector<std::int64_t>>> made;
    for (int rank = 0; rank < ranks; ++rank) {
        made.push_back(task<&count_from>.with({.placement = on_rank(rank)})(rank, count));
    }
    std::vector<Future<std::int64_t>> sums;
    for (int from = 0; from < ranks; ++from) {
        for (int to = 0; to < ranks; ++to) {
            sums.push_back(
                task<&sum>.with({.placement = on_rank(to)})(made[static_cast<std::size_t>(from)]));
        }
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
        const auto first = static_cast<std::int64_t>(i) / ranks;
        const auto expected = count_from(first, count);
        EXPECT_EQ(sums[i].get(), sum(expected));
    }
    EXPECT_EQ(made.back().get(), count_from(ranks - 1, count));
}

MUSTER_BODY(GetGivesTheSameValueAgain) {
    auto value = task<&count_from>.with({.placement = rank_at(1)})(5, std::size_t{10'000});
    const auto copy = value;
    EXPECT_EQ(value.get(), copy.get());
    EXPECT_EQ(value.get().size(), 10'000U);
    EXPECT_TRUE(copy.ready());
    EXPECT_EQ(copy.id(), value.id());
}

MUSTER_BODY(NotANumberAndInfinityKeepTheirBits) {
    EXPECT_TRUE(std::isnan(task<&half>(std::nan("")).get()));
    EXPECT_EQ(task<&half>(-HUGE_VAL).get(), -HUGE_VAL);
    EXPECT_TRUE(std::signbit(task<&half>(-0.0).get()));
}

} // namespace muster::test
