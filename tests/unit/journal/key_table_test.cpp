#include "journal/key_table.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

namespace muster::journal {
namespace {

KeyDigest key(std::uint64_t number) {
    return {mix64(number), mix64(number + 1'000'000'007)};
}

TEST(KeyTable, FindsWhatWasInsertedAndNothingElse) {
    KeyTable table;
    EXPECT_EQ(table.find(key(1)), nullptr);
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        EXPECT_EQ(table.insert(key(i)), i);
        table.at(static_cast<KeyTable::Position>(i)).claimed = static_cast<BatchNumber>(i + 1);
    }
    EXPECT_EQ(table.size(), 10'000U);
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        EXPECT_EQ(table.insert(key(i)), i);
        ASSERT_NE(table.find(key(i)), nullptr);
        EXPECT_EQ(table.find(key(i))->claimed, i + 1);
        EXPECT_EQ(table.find(key(i + 10'000)), nullptr);
    }
}

TEST(KeyTable, TellsKeysApartThatFallIntoOneSlot) {
    KeyTable table;
    for (std::uint64_t i = 0; i < 100; ++i) {
        EXPECT_EQ(table.insert({i, 7}), i);
    }
    for (std::uint64_t i = 0; i < 100; ++i) {
        EXPECT_EQ(table.insert({i, 7}), i);
    }
    EXPECT_EQ(table.find({100, 7}), nullptr);
}

} // namespace
} // namespace muster::journal
