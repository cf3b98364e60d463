// What a rank's large values may take: memory, then a disk, then nothing.

#include "arena/value_memory.hpp"
#include "arena/views.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace muster::arena {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

class ValueMemoryTest : public testing::Test {
protected:
    ValueMemoryTest()
        : directory_(std::filesystem::temp_directory_path() / "muster-values-test-XXXXXX") {
        if (mkdtemp(directory_.data()) == nullptr) {
            throw std::runtime_error("mkdtemp");
        }
    }

    ~ValueMemoryTest() override { std::filesystem::remove_all(directory_); }

    [[nodiscard]] ValueMemory::Config config(std::uint64_t memory,
                                             std::optional<std::uint64_t> disk) const {
        return {.memory_bytes_max = memory, .disk_bytes_max = disk, .directory = directory_};
    }

    [[nodiscard]] bool nothing_has_a_name() const { return std::filesystem::is_empty(directory_); }

private:
    std::string directory_;
};

Buffer filled(ValueMemory& memory, std::size_t size, int value) {
    auto bytes = memory.allocate(size);
    if (bytes == nullptr) {
        return {};
    }
    std::memset(bytes.get(), value, size);
    return {std::move(bytes), size};
}

TEST_F(ValueMemoryTest, FillsMemoryThenTheDiskThenRefuses) {
    ValueMemory values(config(2 * mebibyte, 3 * mebibyte));
    std::vector<Buffer> kept;
    for (std::uint64_t i = 0; i < 5; ++i) {
        kept.push_back(filled(values, mebibyte, static_cast<int>(i)));
        ASSERT_FALSE(kept.back().empty()) << i;
        EXPECT_EQ(values.usage().memory_bytes, std::min<std::uint64_t>(2, i + 1) * mebibyte);
        EXPECT_EQ(values.usage().disk_bytes, (i < 2 ? 0 : i - 1) * mebibyte);
    }
    EXPECT_EQ(values.allocate(mebibyte), nullptr);
    EXPECT_TRUE(nothing_has_a_name());
    for (int i = 0; i < 5; ++i) {
        const auto bytes = kept[static_cast<std::size_t>(i)].bytes();
        EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte(i)),
                  static_cast<std::ptrdiff_t>(mebibyte));
    }
    kept.erase(kept.begin(), kept.begin() + 3);
    EXPECT_EQ(values.usage().memory_bytes, 0U);
    EXPECT_EQ(values.usage().disk_bytes, 2 * mebibyte);
    EXPECT_FALSE(filled(values, 2 * mebibyte, 9).empty());
}

TEST_F(ValueMemoryTest, WhatLiesOnTheDiskIsReadWhereItLiesLikeTheRest) {
    ValueMemory values(config(64 * 1024, 4 * mebibyte));
    const Buffer value = filled(values, 2 * mebibyte + 3, 7);
    const auto place = values.place_of(value);
    ASSERT_TRUE(place);
    Views views;
    const auto seen = views.open(*place, [] {});
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->size(), value.size());
    EXPECT_EQ(std::memcmp(seen->bytes().data(), value.bytes().data(), value.size()), 0);
    EXPECT_NE(seen->bytes().data(), value.bytes().data());
    EXPECT_FALSE(values.place_of(Buffer(allocate_bytes(10), 10)));
}

TEST_F(ValueMemoryTest, WithoutADiskItRefusesSooner) {
    for (ValueMemory::Config without : {config(mebibyte, 0), config(mebibyte, mebibyte)}) {
        if (without.disk_bytes_max != 0U) {
            without.directory.clear();
        }
        ValueMemory values(without);
        EXPECT_FALSE(values.could_fit(2 * mebibyte));
        const Buffer value = filled(values, mebibyte, 1);
        EXPECT_FALSE(value.empty());
        EXPECT_EQ(values.allocate(100'000), nullptr);
        EXPECT_EQ(values.usage().disk_bytes_max, 0U);
    }
}

TEST_F(ValueMemoryTest, ByDefaultHalfOfTheDiskIsSharedOut) {
    auto shared = config(mebibyte, std::nullopt);
    shared.ranks_of_node = 4;
    ValueMemory values(shared);
    (void)filled(values, 2 * mebibyte, 1);
    const auto free = std::filesystem::space(shared.directory).available;
    EXPECT_GT(values.usage().disk_bytes_max, free / 16);
    EXPECT_LE(values.usage().disk_bytes_max, free / 8 + 64 * mebibyte);
}

TEST_F(ValueMemoryTest, ADirectoryThatIsGoneIsDoneWithout) {
    auto gone = config(mebibyte, 4 * mebibyte);
    gone.directory += "/gone";
    ValueMemory values(gone);
    EXPECT_FALSE(filled(values, mebibyte, 1).empty());
    EXPECT_EQ(values.allocate(2 * mebibyte), nullptr);
}

TEST_F(ValueMemoryTest, OffItGivesNothing) {
    ValueMemory values(config(0, 4 * mebibyte));
    EXPECT_FALSE(values.enabled());
    EXPECT_EQ(values.allocate(mebibyte), nullptr);
}

TEST_F(ValueMemoryTest, WhoWaitsHearsOfEveryFreeRange) {
    std::optional<ValueMemory> values(config(mebibyte, mebibyte));
    const auto never = std::chrono::steady_clock::now();
    EXPECT_FALSE(values->wait_for_free(values->frees(), never));
    Buffer one = filled(*values, mebibyte, 1);
    Buffer two = filled(*values, mebibyte, 2); // on the disk
    for (Buffer* const buffer : {&one, &two}) {
        const std::uint64_t seen = values->frees();
        std::thread other([buffer] { *buffer = {}; });
        EXPECT_TRUE(values->wait_for_free(seen, std::chrono::steady_clock::now() + 1min));
        other.join();
    }
    one = filled(*values, mebibyte, 1);
    values.reset();
    one = {}; // later than all of it
}

} // namespace
} // namespace muster::arena
