// Large values, read where they lie.

#include "body.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <string_view>

namespace muster::test {
namespace {

constexpr std::size_t many = 100'000; // elements: 800 kB of double

std::vector<double> numbers(std::size_t count) {
    std::vector<double> values(count);
    std::iota(values.begin(), values.end(), 0.0);
    return values;
}

double sum_of(std::size_t count) {
    return static_cast<double>(count) * (static_cast<double>(count) - 1) / 2;
}

/// What the process has mapped where the address is; empty if that has no name.
std::string mapping_at(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream maps("/proc/self/maps");
    std::string line;
    while (std::getline(maps, line)) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        std::istringstream text(line);
        text >> std::hex >> begin >> dash >> end;
        if (begin <= wanted && wanted < end) {
            const auto name = line.find('/');
            return name == std::string::npos ? std::string() : line.substr(name);
        }
    }
    return "nowhere";
}

/// Whether they lie in the memory that a node's ranks share, from the first to the last.
bool is_shared(std::span<const double> values) {
    return contains(mapping_at(values.data()), "muster-values") &&
           contains(mapping_at(&values.back()), "muster-values");
}

/// Values are shared where another rank could read them, unless the environment forbids it.
void expect_sharing(bool shared) {
    const char* const limit = std::getenv("MUSTER_OBJECT_MEMORY");
    if (limit == nullptr || std::string(limit) == "0") {
        EXPECT_EQ(shared, limit == nullptr);
    } // else it depends on what else there is
}

struct Seen {
    double sum = 0;
    std::uint64_t count = 0;
    bool shared = false;
    bool aligned = false;
};

Seen look_at(std::span<const double> values) {
    return {.sum = std::accumulate(values.begin(), values.end(), 0.0),
            .count = values.size(),
            .shared = !values.empty() && is_shared(values),
            .aligned = reinterpret_cast<std::uintptr_t>(values.data()) % alignof(double) == 0};
}

Coroutine<Seen> look_later(std::span<const double> values, Future<int> gate) {
    (void)co_await gate;
    co_return look_at(values);
}

std::uint64_t count_letter(std::string_view text, char letter) {
    return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), letter));
}

std::uint64_t place_of(const std::vector<double>& values) {
    return reinterpret_cast<std::uintptr_t>(values.data());
}

std::uint64_t place_of_own(std::vector<double> values) {
    values[0] += 1;
    return reinterpret_cast<std::uintptr_t>(values.data());
}

Coroutine<double> sum_later(const std::vector<double>& values, Future<int> gate) {
    (void)co_await gate;
    co_return std::accumulate(values.begin(), values.end(), 0.0);
}

double place_and_sum(const std::vector<double>& values, const std::string& text) {
    return std::accumulate(values.begin(), values.end(), static_cast<double>(text.size()));
}

double dot(std::span<const double> a, const std::vector<double>& b, std::span<const float> c) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += a[i] * b[i] * static_cast<double>(c[i]);
    }
    return sum;
}

double share_of_sum(Communicator& ranks, std::span<const double> values) {
    const auto n = static_cast<std::size_t>(ranks.size());
    const auto r = static_cast<std::size_t>(ranks.rank());
    const std::size_t begin = values.size() * r / n;
    const std::size_t end = values.size() * (r + 1) / n;
    const auto part = values.subspan(begin, end - begin);
    return std::accumulate(part.begin(), part.end(), 0.0);
}

class Adder {
public:
    double add(std::span<const double> values) {
        sum_ += std::accumulate(values.begin(), values.end(), 0.0);
        return sum_;
    }

private:
    double sum_ = 0;
};

Seen pass_on(std::span<const double> values) {
    // An argument that lies in shared memory goes into it once more: it is another value.
    return task<&look_at>.with({.placement = rank_at(where() + 1)})(values).get();
}

std::uint64_t make_and_drop(int times) {
    std::uint64_t right = 0;
    for (int i = 0; i < times; ++i) {
        const auto value =
            put(std::vector<std::uint8_t>(std::size_t{8} << 20, static_cast<std::uint8_t>(i)));
        const auto view = value.view();
        right += view[0] == i && view[view.size() - 1] == i ? 1U : 0U;
    }
    return right;
}

/// Of what it throws; zero if it does not.
template <class Body>
int code_of(Body body) {
    try {
        body();
    } catch (const Error& error) {
        return static_cast<int>(error.code());
    }
    return 0;
}

std::uint64_t largest_reported(int /*number*/) {
    const MemoryReport report = memory_report();
    return report.largest.empty() ? 0 : report.largest.front().bytes;
}

} // namespace

MUSTER_BODY(ATaskReadsALargeValueWhereItLies) {
    const auto value = put(numbers(many));
    for (int i = 0; i < 2 * rank_count(); ++i) {
        const Seen seen = task<&look_at>.with({.placement = rank_at(i)})(value).get();
        EXPECT_EQ(seen.sum, sum_of(many));
        EXPECT_EQ(seen.count, many);
        EXPECT_TRUE(seen.aligned);
        expect_sharing(seen.shared);
    }
}

MUSTER_BODY(AResultIsReadWhereItsTaskLeftIt) {
    for (int i = 0; i < rank_count(); ++i) {
        const auto made = task<&numbers>.with({.placement = rank_at(i)})(many);
        const auto view = made.view();
        ASSERT_EQ(view.size(), many);
        EXPECT_EQ(std::accumulate(view.begin(), view.end(), 0.0), sum_of(many));
        expect_sharing(is_shared(view));
        EXPECT_EQ(view[7], 7.0);
        EXPECT_EQ(made.view().data(), view.data()); // the same, and not a copy
        const Seen seen = task<&look_at>.with({.placement = rank_at(i + 1)})(made).get();
        EXPECT_EQ(seen.sum, sum_of(many));
        expect_sharing(seen.shared);
    }
}

MUSTER_BODY(AViewKeepsItsValueWhenNoFutureDoes) {
    std::vector<View<std::vector<double>>> views;
    for (int i = 0; i < 8; ++i) {
        views.push_back(
            task<&numbers>.with({.placement = rank_at(i)})(many + static_cast<std::size_t>(i)).view());
    }
    (void)map<&numbers>(std::vector<std::size_t>(20, many)); // would take what was given back
    for (std::size_t i = 0; i < views.size(); ++i) {
        ASSERT_EQ(views[i].size(), many + i);
        EXPECT_EQ(std::accumulate(views[i].begin(), views[i].end(), 0.0), sum_of(many + i));
    }
}

MUSTER_BODY(ASpanTakesAnythingThatIsOne) {
    const std::vector<double> small = numbers(5);
    const std::array<double, 3> few{1, 2, 3};
    EXPECT_EQ(task<&look_at>(small).get().sum, 10);
    EXPECT_EQ(task<&look_at>(std::span(few)).get().sum, 6);
    EXPECT_EQ(task<&look_at>(few).get().sum, 6);
    EXPECT_EQ(task<&look_at>(std::span<const double>()).get().count, 0U);
    EXPECT_EQ(task<&look_at>(std::vector<double>()).get().count, 0U);
    EXPECT_EQ(task<&look_at>(numbers(many)).get().sum, sum_of(many));
    EXPECT_EQ(task<&look_at>(put(small)).get().sum, 10);
    EXPECT_EQ(task<&look_at>(task<&numbers>(std::size_t{6})).get().sum, 15);
    // Elements that are futures are joined, as for a vector.
    EXPECT_EQ(
        task<&look_at>(std::vector{task<&sum_of>(std::size_t{3}), task<&sum_of>(std::size_t{4})})
            .get()
            .sum,
        9);
    std::vector<std::vector<double>> all;
    for (std::size_t i = 0; i < 300; ++i) {
        all.push_back(numbers(i)); // of every alignment in the message that carries it
    }
    const auto seen = map<&look_at>(all);
    for (std::size_t i = 0; i < 300; ++i) {
        const Seen one = seen[i].get();
        EXPECT_EQ(one.sum, sum_of(i));
        EXPECT_TRUE(one.aligned) << i;
    }
}

MUSTER_BODY(TextIsReadWhereItLies) {
    const std::string text(many, 'x');
    EXPECT_EQ(task<&count_letter>("axbx", 'x').get(), 2U);
    EXPECT_EQ(task<&count_letter>(std::string_view("abc"), 'x').get(), 0U);
    EXPECT_EQ(task<&count_letter>("", 'x').get(), 0U);
    EXPECT_EQ(task<&count_letter>(text, 'x').get(), many);
    const auto stored = put(text);
    for (int i = 0; i < rank_count(); ++i) {
        EXPECT_EQ(task<&count_letter>.with({.placement = rank_at(i)})(stored, 'x').get(), many);
    }
    const std::string_view view = stored.view();
    EXPECT_EQ(view, text);
}

MUSTER_BODY(SpansAndValuesMixInOneCall) {
    const auto a = put(numbers(many));
    const auto b = put(std::vector<double>(many, 2.0));
    const auto expected = 6 * sum_of(many);
    for (int i = 0; i < rank_count(); ++i) {
        const TaskOptions there{.placement = rank_at(i)};
        EXPECT_EQ(task<&dot>.with(there)(a, b, std::vector<float>(many, 3.0F)).get(), expected);
        EXPECT_EQ(
            task<&dot>.with(there)(numbers(many), b, put(std::vector<float>(many, 3.0F))).get(),
            expected);
    }
}

MUSTER_BODY(MembersActorsAndCoroutinesReadInPlaceToo) {
    const auto value = put(numbers(many));
    const int members = std::min(rank_count(), 3);
    double sum = 0;
    for (const double part : task<&share_of_sum>.with({.ranks = members})(value).get()) {
        sum += part;
    }
    EXPECT_EQ(sum, sum_of(many));
    const auto adder = spawn<Adder>({.placement = rank_at(1)});
    EXPECT_EQ(adder.call<&Adder::add>(value).get(), sum_of(many));
    EXPECT_EQ(adder.call<&Adder::add>(numbers(3)).get(), sum_of(many) + 3);
    const auto gate = task<&where>();
    for (int i = 0; i < rank_count(); ++i) {
        const Seen seen = task<&look_later>.with({.placement = rank_at(i)})(value, gate).get();
        EXPECT_EQ(seen.sum, sum_of(many));
        expect_sharing(seen.shared);
    }
    EXPECT_EQ(task<&look_at>.with({.isolate = true})(value).get().sum, sum_of(many));
    EXPECT_EQ(task<&pass_on>.with({.placement = rank_at(1)})(value).get().sum, sum_of(many));
}

MUSTER_BODY(TasksThatTakeAVectorShareOneCopyOfAProcess) {
    const auto value = put(numbers(many));
    for (int i = 0; i < rank_count(); ++i) {
        const TaskOptions there{.placement = rank_at(i)};
        const auto first = task<&place_of>.with(there)(value).get();
        for (int k = 0; k < 5; ++k) {
            EXPECT_EQ(task<&place_of>.with(there)(value).get(), first);
        }
        // What a task changes is its own.
        EXPECT_NE(task<&place_of_own>.with(there)(value).get(), first);
        EXPECT_EQ(task<&sum_later>.with(there)(value, task<&where>()).get(), sum_of(many));
    }
    EXPECT_EQ(task<&place_and_sum>(std::vector<double>{1, 2}, "abc").get(), 6);
}

MUSTER_BODY(AFreedValueIsGoneForAllThatHaveNotReadIt) {
    for (int i = 0; i < rank_count(); ++i) {
        auto made = task<&numbers>.with({.placement = rank_at(i)})(many);
        const auto other = made;
        const auto reader = task<&look_at>.with({.placement = rank_at(i + 1)})(made);
        (void)muster::wait(std::vector{made});
        muster::free(made);
        EXPECT_FALSE(made.valid());
        EXPECT_EQ(reader.get().sum, sum_of(many)); // it was given the value before
        const auto late = task<&look_at>(other);
        EXPECT_EQ(code_of([&] { (void)late.get(); }), static_cast<int>(ErrorCode::object_lost));
        EXPECT_EQ(code_of([&] { (void)other.get(); }), static_cast<int>(ErrorCode::object_lost));
    }
    Future<int> none;
    EXPECT_EQ(code_of([&] { muster::free(none); }), static_cast<int>(ErrorCode::usage));
}

MUSTER_BODY(AReportSaysWhatHoldsMemory) {
    constexpr std::size_t count = 300'000;
    const auto ours = [](const MemoryReport& report) {
        std::vector<ValueMemory> found;
        std::copy_if(report.largest.begin(),
                     report.largest.end(),
                     std::back_inserter(found),
                     [](const ValueMemory& value) { return value.bytes >= count * sizeof(int); });
        return found;
    };
    {
        const auto kept = put(std::vector<int>(count, 7));
        const MemoryReport report = memory_report();
        ASSERT_EQ(report.ranks.size(), static_cast<std::size_t>(rank_count()));
        for (const RankMemory& rank : report.ranks) {
            EXPECT_TRUE(rank.answered) << index(rank.rank);
        }
        EXPECT_GE(report.ranks.front().values, 1U);
        EXPECT_GE(report.ranks.front().value_bytes, count * sizeof(int));
        const auto values = ours(report);
        ASSERT_EQ(values.size(), 1U);
        EXPECT_EQ(values.front().made_by, "put");
        EXPECT_EQ(values.front().object, kept.id());
        EXPECT_EQ(values.front().owner, Rank{0});
        EXPECT_EQ(values.front().holder, Rank{0});
        EXPECT_TRUE(values.front().by_futures);
        EXPECT_FALSE(values.front().sent_away);
        // Every rank is told the same, and many threads at once.
        const std::vector<int> numbers(8);
        for (const auto& seen : map<&largest_reported>(numbers)) {
            EXPECT_GE(seen.get(), count * sizeof(int));
        }
    }
    EXPECT_TRUE(ours(memory_report()).empty());
}

MUSTER_BODY(MemoryOfLargeValuesIsUsedAgain) {
    constexpr int times = 60; // of 8 MiB: more than is kept for later
    std::vector<Future<std::uint64_t>> all;
    for (int i = 0; i < rank_count(); ++i) {
        all.push_back(task<&make_and_drop>.with({.placement = rank_at(i)})(times));
    }
    for (const auto& one : all) {
        EXPECT_EQ(one.get(), static_cast<std::uint64_t>(times));
    }
}

} // namespace muster::test
