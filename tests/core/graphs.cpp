#include "body.hpp"

#include <muster/base/random.hpp>

#include <ranges>

namespace muster::test {
namespace {

// Sanitizers slow everything down several times, and find the same with less.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int scale = 10;
#else
constexpr int scale = 1;
#endif

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    return (a ^ (b + 0x9e3779b97f4a7c15U + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccdU;
}

std::uint64_t leaf(std::uint64_t seed) {
    return mix(seed, 1);
}

std::uint64_t fold(const std::vector<std::uint64_t>& values) {
    std::uint64_t result = 0;
    for (const std::uint64_t value : values) {
        result = mix(result, value);
    }
    return result;
}

std::uint64_t nested(std::uint64_t a, std::uint64_t b) {
    auto first = task<&leaf>(a);
    auto second = task<&mix>(first, b);
    return second.get();
}

std::string widen(std::uint64_t value, std::uint64_t size) {
    return std::to_string(value) + std::string(size, '.');
}

std::uint64_t narrow(const std::string& text) {
    return mix(std::stoull(text), text.size());
}

int submit_and_wait(int count) {
    auto futures = map<[](int x) { return x; }>(std::views::iota(0, count));
    int sum = 0;
    for (auto& future : futures) {
        sum += future.get();
    }
    return sum;
}

} // namespace

MUSTER_BODY(ARandomGraphComputesWhatASerialProgramDoes) {
    constexpr int count = 5000 / scale;
    Random random(20'240'117);
    std::vector<Future<std::uint64_t>> futures;
    std::vector<std::uint64_t> serial;
    const auto any = [&] { return static_cast<std::size_t>(random.below(futures.size())); };
    for (int i = 0; i < count; ++i) {
        TaskOptions options;
        options.cpus = static_cast<int>(random.below(3));
        options.priority = static_cast<int>(random.below(3));
        switch (random.below(4)) {
        case 0:
            options.placement = rank_at(static_cast<int>(random.below(64)));
            break;
        case 1:
            options.placement = spread;
            break;
        case 2:
            options.placement = pack;
            break;
        default:
            break;
        }
        const std::uint64_t kind = futures.empty() ? 0 : random.below(5);
        if (kind == 0) {
            futures.push_back(task<&leaf>.with(options)(static_cast<std::uint64_t>(i)));
            serial.push_back(leaf(static_cast<std::uint64_t>(i)));
        } else if (kind == 1) {
            std::vector<Future<std::uint64_t>> arguments;
            std::vector<std::uint64_t> values;
            for (std::uint64_t n = random.below(6); n > 0; --n) {
                const std::size_t from = any();
                arguments.push_back(futures[from]);
                values.push_back(serial[from]);
            }
            futures.push_back(task<&fold>.with(options)(arguments));
            serial.push_back(fold(values));
        } else if (kind == 2) {
            const std::size_t a = any();
            const std::size_t b = any();
            futures.push_back(task<&nested>.with(options)(futures[a], futures[b]));
            serial.push_back(mix(leaf(serial[a]), serial[b]));
        } else if (kind == 3) {
            const std::size_t a = any();
            const std::uint64_t size = random.below(8) == 0 ? 40'000 : random.below(1500);
            const auto wide = task<&widen>(futures[a], size);
            futures.push_back(task<&narrow>.with(options)(wide));
            serial.push_back(narrow(widen(serial[a], size)));
        } else {
            const std::size_t a = any();
            const std::size_t b = any();
            futures.push_back(task<&mix>.with(options)(futures[a], futures[b]));
            serial.push_back(mix(serial[a], serial[b]));
        }
    }
    for (std::size_t i = 0; i < futures.size(); ++i) {
        ASSERT_EQ(futures[i].get(), serial[i]) << "task " << i;
    }
}

MUSTER_BODY(TheDriverAndTasksSubmitAtTheSameTime) {
    constexpr int count = 20'000 / scale;
    std::vector<Future<int>> busy;
    for (int i = 0; i < 4 * rank_count(); ++i) {
        busy.push_back(task<&submit_and_wait>.with({.placement = rank_at(i)})(1000 / scale));
    }
    std::vector<Future<int>> singles;
    singles.reserve(count);
    for (int i = 0; i < count; ++i) {
        singles.push_back(task<[](int x) { return x + 1; }>(i));
    }
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(singles[static_cast<std::size_t>(i)].get(), i + 1);
    }
    const int n = 1000 / scale;
    for (auto& future : busy) {
        EXPECT_EQ(future.get(), n * (n - 1) / 2);
    }
}

MUSTER_BODY(TasksSubmittedInARowNeedDropAndCancelEachOther) {
    constexpr int count = 12'000 / scale;
    Random random(77);
    std::vector<Future<std::uint64_t>> futures;
    std::vector<std::uint64_t> serial;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t kind = i == 0 ? 0 : random.below(16);
        if (kind == 1 || kind == 2) { // of the same kind, and needs the one before it
            futures.push_back(task<&mix>(futures.back(), std::uint64_t{3}));
            serial.push_back(mix(serial.back(), 3));
            continue;
        }
        if (kind == 3) {
            (void)task<&mix>(std::uint64_t{i}, std::uint64_t{4}); // nobody asks for it
        }
        if (kind == 4) {
            const auto doomed = task<&mix>(std::uint64_t{i}, std::uint64_t{5});
            cancel(doomed); // in time or not
        }
        futures.push_back(task<&mix>(std::uint64_t{i}, std::uint64_t{2}));
        serial.push_back(mix(i, 2));
    }
    for (std::size_t i = 0; i < futures.size(); ++i) {
        ASSERT_EQ(futures[i].get(), serial[i]) << "task " << i;
    }
}

} // namespace muster::test
