#include "contract.hpp"
#include "local_gang.hpp"
#include "members.hpp"

#include <muster/base/error.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

namespace muster::test {
namespace {

class Contract : public testing::TestWithParam<std::tuple<const char*, int, Clause>> {};

TEST_P(Contract, Holds) {
    const auto& [backend, members, clause] = GetParam();
    EXPECT_NO_THROW(run_members(backend, members, clause.check));
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         Contract,
                         testing::Combine(testing::Values("reference", "communicator"),
                                          testing::Values(1, 2, 3, 4, 7),
                                          testing::ValuesIn(contract().begin(), contract().end())),
                         [](const auto& instance) {
                             return std::string(std::get<0>(instance.param)) +
                                    std::to_string(std::get<1>(instance.param)) +
                                    std::get<2>(instance.param).name;
                         });

class Ending : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Backend, Ending, testing::Values("reference", "communicator"));

// Member 1 leaves by an exception while a narrow and a wide sum of its own are under way.
TEST_P(Ending, OfAMemberReleasesTheOthers) {
    int aborted = 0;
    const auto body = [&](train::Backend& backend) {
        std::vector<train::BFloat16> narrow(100);
        std::vector<float> wide(100);
        train::Event first = backend.all_reduce(std::span(narrow));
        if (backend.rank() == 1) {
            train::Event more = backend.all_reduce(std::span(wide));
            throw std::runtime_error("member 1 has had enough");
        }
        if (backend.rank() == 0) {
            try {
                first.wait();
                backend.all_reduce(std::span(wide)).wait();
                backend.all_reduce(std::span(wide)).wait();
            } catch (const Error& error) {
                aborted += error.code() == ErrorCode::aborted ? 1 : 0;
                throw;
            }
        }
    };
    EXPECT_ANY_THROW(run_members(GetParam(), 3, body));
    EXPECT_EQ(aborted, 1);
}

TEST(Backend, RefusesCallsThatDiffer) {
    for (const char* const backend : {"reference", "communicator"}) {
        EXPECT_ANY_THROW(run_members(backend, 2, [](train::Backend& own) {
            std::vector<float> data(own.rank() == 0 ? 10 : 11);
            own.all_reduce(std::span(data)).wait();
        })) << backend;
    }
}

TEST(Element, NarrowsEveryKindOfFloat) {
    const auto half = [](float value) { return train::to_float16(value).bits; };
    EXPECT_EQ(half(1), 0x3c00);
    EXPECT_EQ(half(-2), 0xc000);
    EXPECT_EQ(half(65504), 0x7bff);
    EXPECT_EQ(half(65519.996F), 0x7bff);
    EXPECT_EQ(half(65520), 0x7c00); // halfway to 2^16: to even, which is out of range
    EXPECT_EQ(half(1e30F), 0x7c00);
    EXPECT_EQ(half(-std::numeric_limits<float>::infinity()), 0xfc00);
    EXPECT_EQ(half(std::nanf("")) & 0x7e00, 0x7e00);
    EXPECT_EQ(half(0x1p-24F), 0x0001);
    EXPECT_EQ(half(0x1p-25F), 0x0000);   // a tie, to even
    EXPECT_EQ(half(0x1.8p-24F), 0x0002); // a tie, to even
    EXPECT_EQ(half(-0.0F), 0x8000);
    EXPECT_EQ(half(1 + 0x1p-11F), 0x3c00); // ties
    EXPECT_EQ(half(1 + 0x1.8p-10F), 0x3c02);
    const auto bfloat = [](float value) { return train::to_bfloat16(value).bits; };
    EXPECT_EQ(bfloat(1), 0x3f80);
    EXPECT_EQ(bfloat(1 + 0x1p-8F), 0x3f80); // ties
    EXPECT_EQ(bfloat(1 + 0x1.8p-7F), 0x3f82);
    EXPECT_EQ(bfloat(std::numeric_limits<float>::max()), 0x7f80);
    EXPECT_EQ(bfloat(std::numeric_limits<float>::infinity()), 0x7f80);
    EXPECT_TRUE(std::isnan(train::to_float(train::to_bfloat16(std::nanf("")))));
    // One whose mantissa lies in the lower half only must not become infinite.
    EXPECT_TRUE(std::isnan(
        train::to_float(train::to_bfloat16(std::bit_cast<float>(std::uint32_t{0x7f800001})))));
}

TEST(Element, WidensAndNarrowsBackAllSixtyFourThousand) {
    std::vector<train::Float16> halves(1U << 16U);
    for (std::size_t i = 0; i < halves.size(); ++i) {
        halves[i].bits = static_cast<std::uint16_t>(i);
    }
    std::vector<float> floats(halves.size());
    std::vector<train::Float16> back(halves.size());
    train::widen(halves, floats);
    train::narrow(floats, back);
    std::vector<train::BFloat16> bfloats(halves.size());
    for (std::size_t i = 0; i < halves.size(); ++i) {
        if (std::isnan(floats[i])) {
            EXPECT_EQ(halves[i].bits & 0x7c00, 0x7c00);
            EXPECT_EQ(back[i].bits, (halves[i].bits & 0x8000) | 0x7e00);
        } else {
            EXPECT_EQ(back[i], halves[i]);
        }
        bfloats[i].bits = static_cast<std::uint16_t>(i);
    }
    std::vector<train::BFloat16> bfloats_back(bfloats.size());
    train::widen(bfloats, floats);
    train::narrow(floats, bfloats_back);
    for (std::size_t i = 0; i < bfloats.size(); ++i) {
        EXPECT_TRUE(bfloats_back[i] == bfloats[i] || std::isnan(floats[i])) << i;
    }
}

} // namespace
} // namespace muster::test
