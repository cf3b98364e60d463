#include <muster/core/serialize.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace {

std::vector<std::byte> numbered_bytes(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>(i);
    }
    return bytes;
}

TEST(Writer, GrowsAndKeepsWhatWasWritten) {
    const auto bytes = numbered_bytes(10'000);
    muster::Writer writer;
    for (std::size_t done = 0; done < bytes.size(); done += 100) {
        writer.write(bytes.data() + done, 100);
    }
    EXPECT_EQ(muster::Buffer::copy_of(writer.bytes()), muster::Buffer::copy_of(bytes));
}

TEST(Writer, KeepsItsMemoryWhenCleared) {
    muster::Writer writer;
    writer.write(numbered_bytes(1000).data(), 1000);
    const auto* const memory = writer.bytes().data();
    writer.clear();
    EXPECT_TRUE(writer.empty());
    writer.write(numbered_bytes(1000).data(), 1000);
    EXPECT_EQ(writer.bytes().data(), memory);
}

TEST(Writer, GivesItsMemoryAwayUncopied) {
    muster::Writer writer;
    writer.write("abc", 3);
    const auto* const memory = writer.bytes().data();
    const muster::Buffer buffer = writer.take();
    EXPECT_EQ(buffer.bytes().data(), memory);
    EXPECT_EQ(buffer.size(), 3U);
    EXPECT_TRUE(writer.empty());
    writer.write("x", 1);
    EXPECT_NE(writer.bytes().data(), memory);
    EXPECT_EQ(buffer.bytes()[0], std::byte{'a'});
}

TEST(Writer, ForgetsTheEnd) {
    muster::Writer writer;
    writer.write("abcdef", 6);
    writer.truncate(2);
    writer.write("x", 1);
    EXPECT_EQ(writer.take(), muster::Buffer::copy_of(std::as_bytes(std::span("abx", 3))));
}

TEST(Writer, CanBeMoved) {
    muster::Writer first;
    first.write("abc", 3);
    muster::Writer second(std::move(first));
    EXPECT_EQ(second.size(), 3U);
    second = muster::Writer();
    EXPECT_TRUE(second.empty());
}

TEST(Reader, ReadsCountsOfEverySize) {
    for (unsigned bits = 0; bits < 64; ++bits) {
        for (const std::uint64_t count : {std::uint64_t{1} << bits,
                                          (std::uint64_t{1} << bits) - 1,
                                          ~std::uint64_t{0} >> bits}) {
            muster::Writer writer;
            writer.write_count(count);
            muster::Reader reader(writer.bytes());
            EXPECT_EQ(reader.read_count(), count);
            EXPECT_TRUE(reader.at_end());
        }
    }
}

TEST(Reader, SharesLargeBuffersOfTheBufferItReads) {
    const auto large = muster::Buffer::copy_of(numbered_bytes(5000));
    const auto small = muster::Buffer::copy_of(numbered_bytes(10));
    const auto whole = muster::to_buffer(std::pair(small, large));
    const auto decoded = muster::from_buffer<std::pair<muster::Buffer, muster::Buffer>>(whole);
    EXPECT_EQ(decoded.first, small);
    EXPECT_EQ(decoded.second, large);
    EXPECT_EQ(decoded.second.bytes().data(), whole.bytes().data() + whole.size() - 5000);
    EXPECT_TRUE(decoded.first.bytes().data() < whole.bytes().data() ||
                decoded.first.bytes().data() >= whole.bytes().data() + whole.size());
}

TEST(Reader, CopiesWhatItOnlyBorrows) {
    const auto bytes = muster::to_buffer(muster::Buffer::copy_of(numbered_bytes(5000)));
    const auto decoded = muster::from_buffer<muster::Buffer>(bytes.bytes());
    EXPECT_EQ(decoded, muster::Buffer::copy_of(numbered_bytes(5000)));
    EXPECT_NE(decoded.bytes().data(), bytes.bytes().data() + bytes.size() - 5000);
}

} // namespace
