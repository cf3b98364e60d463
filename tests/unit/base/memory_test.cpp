#include <muster/base/memory.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace muster {
namespace {

TEST(Memory, EverySizeCanBeWrittenFromTheFirstByteToTheLast) {
    constexpr std::size_t mib = std::size_t{1} << 20;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, 4 * mib - 1, 4 * mib, 4 * mib + 1, 7 * mib + 5}) {
        const auto bytes = allocate_bytes(size);
        std::memset(bytes.get(), 0x5a, size);
        if (size > 0) {
            EXPECT_EQ(bytes.get()[0], std::byte{0x5a});
            EXPECT_EQ(bytes.get()[size - 1], std::byte{0x5a});
        }
    }
}

TEST(Memory, LargeOnesEndAtALine) {
    std::vector<std::size_t> sizes;
    for (std::size_t more = 0; more < 130; ++more) {
        sizes.push_back(1024 + more);
        sizes.push_back((std::size_t{4} << 20) + more);
    }
    for (const std::size_t size : sizes) {
        const auto bytes = allocate_bytes(size);
        std::byte* const last = &bytes.get()[size - 1];
        EXPECT_EQ((reinterpret_cast<std::uintptr_t>(last) + 1) % 64, 0U) << size;
        bytes.get()[0] = std::byte{1};
        *last = std::byte{1};
    }
}

} // namespace
} // namespace muster
