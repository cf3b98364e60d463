#include "local_gang.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace muster {
namespace {

TEST(LargeGangs, AllReduceGoesBeyondTwoToTheThirtyFirst) {
    constexpr std::size_t count = (std::size_t{1} << 31) + 5;
    test::GangOptions options;
    options.engine = test::GangOptions::Engine::shared;
    test::run_gang(
        2,
        [](Communicator& ranks) {
            std::vector<std::int8_t> data(count, static_cast<std::int8_t>(ranks.rank() + 1));
            data[count - 1] = 40;
            ranks.all_reduce(std::span(data));
            std::size_t wrong = 0;
            for (std::size_t i = 0; i + 1 < count; ++i) {
                wrong += data[i] != 3 ? 1U : 0U;
            }
            EXPECT_EQ(wrong, 0U);
            EXPECT_EQ(data[count - 1], 80);
        },
        options);
}

} // namespace
} // namespace muster
