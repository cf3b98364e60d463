#include "gang/combine.hpp"
#include "local_gang.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

// One contract, whatever the members are joined by: results are those of plain loops, to the bit.
namespace muster {
namespace {

using test::GangOptions;
using test::run_gang;
using Engine = GangOptions::Engine;

struct Case {
    Engine engine;
    int members;
};

// Small pieces, so that few bytes are many of them.
constexpr std::uint64_t piece_bytes = 4096;

// Element counts around what is sent whole, along a tree, in one piece and in several.
const std::vector<std::size_t> counts{0, 1, 3, 31, 257, 4095, 8193, 20001, 40000};

template <class T>
std::vector<T> values_of(int member, std::size_t count, std::uint64_t salt = 0) {
    Random random(salt, static_cast<std::uint64_t>(member));
    std::vector<T> values(count);
    for (T& value : values) {
        if constexpr (std::is_floating_point_v<T>) {
            value = static_cast<T>(random.uniform(-1.0, 1.0) * (random.chance(0.5) ? 1e6 : 1e-3));
        } else {
            value = static_cast<T>(random.next());
        }
    }
    return values;
}

template <class T>
T reduced(ReduceOp op, T a, T b) {
    using Wide = std::conditional_t<std::is_floating_point_v<T>, T, std::uint64_t>;
    switch (op) {
    case ReduceOp::sum:
        return static_cast<T>(static_cast<Wide>(a) + static_cast<Wide>(b));
    case ReduceOp::product:
        return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b));
    case ReduceOp::min:
        return std::min(a, b);
    case ReduceOp::max:
        return std::max(a, b);
    }
    return a;
}

// The order that the header promises: the lower half of the members, the upper half, both.
template <class T>
T tree(ReduceOp op, const std::vector<std::vector<T>>& data, std::size_t i, int low, int high) {
    if (high - low == 1) {
        return data[static_cast<std::size_t>(low)][i];
    }
    const int mid = low + (high - low) / 2;
    return reduced(op, tree(op, data, i, low, mid), tree(op, data, i, mid, high));
}

template <class T>
std::vector<T>
expected_reduction(ReduceOp op, int members, std::size_t count, std::uint64_t salt = 0) {
    std::vector<std::vector<T>> data;
    for (int member = 0; member < members; ++member) {
        data.push_back(values_of<T>(member, count, salt));
    }
    std::vector<T> result(count);
    for (std::size_t i = 0; i < count; ++i) {
        result[i] = tree(op, data, i, 0, members);
    }
    return result;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
std::span<const T> read(const std::vector<T>& values) {
    return values;
}

class Collectives : public testing::TestWithParam<Case> {
protected:
    [[nodiscard]] int members() const { return GetParam().members; }

    void run(const test::GangBody& body) const {
        GangOptions options;
        options.engine = GetParam().engine;
        options.piece_bytes = piece_bytes;
        run_gang(members(), body, options);
    }

    template <class T>
    void expect_all_reduce(ReduceOp op) const {
        run([&](Communicator& ranks) {
            for (const std::size_t count : counts) {
                auto data = values_of<T>(ranks.rank(), count);
                ranks.all_reduce(std::span(data), op);
                EXPECT_TRUE(same_bits(data, expected_reduction<T>(op, members(), count)))
                    << gang::name_of(op) << " of " << count << ' '
                    << gang::name_of(detail::element_type<T>());
            }
        });
    }
};

TEST_P(Collectives, AllReduceOfFloatsHasTheBitsOfTheTree) {
    expect_all_reduce<float>(ReduceOp::sum);
    expect_all_reduce<double>(ReduceOp::product);
    expect_all_reduce<float>(ReduceOp::min);
    expect_all_reduce<double>(ReduceOp::max);
}

TEST_P(Collectives, AllReduceOfIntegersIsExactAndWraps) {
    expect_all_reduce<std::int8_t>(ReduceOp::sum);
    expect_all_reduce<std::uint8_t>(ReduceOp::product);
    expect_all_reduce<std::int16_t>(ReduceOp::min);
    expect_all_reduce<std::uint16_t>(ReduceOp::product);
    expect_all_reduce<std::int32_t>(ReduceOp::sum);
    expect_all_reduce<std::uint32_t>(ReduceOp::max);
    expect_all_reduce<std::int64_t>(ReduceOp::product);
    expect_all_reduce<std::uint64_t>(ReduceOp::sum);
}

TEST_P(Collectives, ReduceGivesTheRootTheResultAndLeavesTheData) {
    run([&](Communicator& ranks) {
        for (const std::size_t count : counts) {
            for (int root = 0; root < members(); ++root) {
                const auto data = values_of<float>(ranks.rank(), count);
                auto copy = data;
                std::vector<float> result(ranks.rank() == root ? count : 0);
                ranks.reduce(read(copy), std::span(result), ReduceOp::sum, root);
                EXPECT_TRUE(same_bits(copy, data));
                if (ranks.rank() == root) {
                    EXPECT_TRUE(same_bits(
                        result, expected_reduction<float>(ReduceOp::sum, members(), count)));
                }
            }
        }
    });
}

TEST_P(Collectives, ReduceMayPutTheResultWhereTheDataWas) {
    run([&](Communicator& ranks) {
        for (const std::size_t count : counts) {
            auto data = values_of<double>(ranks.rank(), count);
            const int root = members() - 1;
            ranks.reduce(read(data), std::span(data), ReduceOp::sum, root);
            if (ranks.rank() == root) {
                EXPECT_TRUE(
                    same_bits(data, expected_reduction<double>(ReduceOp::sum, members(), count)));
            }
        }
    });
}

TEST_P(Collectives, BroadcastBringsTheRootsDataToAll) {
    run([&](Communicator& ranks) {
        for (const std::size_t count : counts) {
            for (int root = 0; root < members(); ++root) {
                auto data = values_of<std::uint16_t>(ranks.rank(), count);
                ranks.broadcast(std::span(data), root);
                EXPECT_TRUE(same_bits(data, values_of<std::uint16_t>(root, count)));
            }
        }
    });
}

TEST_P(Collectives, ReduceScatterGivesEveryoneThePartOfItsOwn) {
    run([&](Communicator& ranks) {
        for (const std::size_t count : counts) {
            const auto n = static_cast<std::size_t>(members());
            const auto data = values_of<float>(ranks.rank(), n * count);
            std::vector<float> result(count);
            ranks.reduce_scatter(read(data), std::span(result));
            const auto all = expected_reduction<float>(ReduceOp::sum, members(), n * count);
            const auto own = all.begin() + static_cast<std::ptrdiff_t>(
                                               static_cast<std::size_t>(ranks.rank()) * count);
            EXPECT_TRUE(same_bits(
                result, std::vector<float>(own, own + static_cast<std::ptrdiff_t>(count))));
        }
    });
}

TEST_P(Collectives, AllGatherPutsThePartsInTheMembersOrder) {
    run([&](Communicator& ranks) {
        for (const std::size_t count : counts) {
            const auto data = values_of<std::int16_t>(ranks.rank(), count);
            std::vector<std::int16_t> result(static_cast<std::size_t>(members()) * count);
            ranks.all_gather(read(data), std::span(result));
            std::vector<std::int16_t> expected;
            for (int member = 0; member < members(); ++member) {
                const auto part = values_of<std::int16_t>(member, count);
                expected.insert(expected.end(), part.begin(), part.end());
            }
            EXPECT_TRUE(same_bits(result, expected));
        }
    });
}

TEST_P(Collectives, AllToAllTransposesTheParts) {
    run([&](Communicator& ranks) {
        for (const std::size_t count : counts) {
            const auto n = static_cast<std::size_t>(members());
            const auto data = values_of<std::int64_t>(ranks.rank(), n * count);
            std::vector<std::int64_t> result(n * count);
            ranks.all_to_all(read(data), std::span(result));
            std::vector<std::int64_t> expected;
            for (int member = 0; member < members(); ++member) {
                const auto others = values_of<std::int64_t>(member, n * count);
                const auto part =
                    others.begin() +
                    static_cast<std::ptrdiff_t>(static_cast<std::size_t>(ranks.rank()) * count);
                expected.insert(expected.end(), part, part + static_cast<std::ptrdiff_t>(count));
            }
            EXPECT_TRUE(same_bits(result, expected));
        }
    });
}

TEST_P(Collectives, NobodyLeavesABarrierBeforeAllHaveCome) {
    std::atomic<int> arrived{0};
    run([&](Communicator& ranks) {
        for (int round = 1; round <= 50; ++round) {
            ++arrived;
            ranks.barrier();
            EXPECT_GE(arrived.load(), round * members());
            ranks.barrier();
        }
    });
}

TEST_P(Collectives, RandomSequencesGiveWhatPlainLoopsGive) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        run([&](Communicator& ranks) {
            Random random(seed); // The same on all members.
            for (int i = 0; i < 40; ++i) {
                const std::size_t count = random.below(random.chance(0.3) ? 30000 : 300);
                const int root =
                    static_cast<int>(random.below(static_cast<std::uint64_t>(members())));
                const std::uint64_t salt = random.next();
                const auto own = values_of<float>(ranks.rank(), count, salt);
                const auto sum = [&] {
                    return expected_reduction<float>(ReduceOp::sum, members(), count, salt);
                };
                auto data = own;
                switch (random.below(4)) {
                case 0:
                    ranks.all_reduce(std::span(data));
                    ASSERT_TRUE(same_bits(data, sum())) << "seed " << seed;
                    break;
                case 1:
                    ranks.broadcast(std::span(data), root);
                    ASSERT_TRUE(same_bits(data, values_of<float>(root, count, salt)));
                    break;
                case 2:
                    ranks.reduce(read(own), std::span(data), ReduceOp::sum, root);
                    ASSERT_TRUE(same_bits(data, ranks.rank() == root ? sum() : own));
                    break;
                default:
                    ranks.barrier();
                }
            }
        });
    }
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
    const char* const engine = info.param.engine == Engine::messages ? "Messages"
                               : info.param.engine == Engine::shared ? "Shared"
                                                                     : "OneSegment";
    return engine + std::to_string(info.param.members);
}

std::vector<Case> cases() {
    std::vector<Case> result;
    for (const Engine engine : {Engine::messages, Engine::shared, Engine::one_segment}) {
        for (const int members : {1, 2, 3, 4, 7}) {
            result.push_back({engine, members});
        }
    }
    return result;
}

INSTANTIATE_TEST_SUITE_P(Gangs, Collectives, testing::ValuesIn(cases()), name_of);

} // namespace
} // namespace muster
