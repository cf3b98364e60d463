#include <muster/base/memory.hpp>

#include <gtest/gtest.h>

#include <cstring>

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

} // namespace
} // namespace muster
