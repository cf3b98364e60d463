#include <muster/look/trace_file.hpp>

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace muster::look {
namespace {

TraceHeader header() {
    return {.run_id = 0xfedcba9876543210,
            .rank = 3,
            .world_size = 8,
            .node = 1,
            .host = "n=1",
            .pid = 4711,
            .cpus = 1.5,
            .program = "a program",
            .job = "",
            .monotonic_ns = 123'456'789'012,
            .realtime_ns = -5};
}

void append(std::string& file, const std::vector<std::byte>& block) {
    file.append(reinterpret_cast<const char*>(block.data()), block.size());
}

std::vector<Record> some_records() {
    std::vector<Record> records;
    for (std::uint64_t i = 0; i < 7; ++i) {
        records.push_back({.event = Event::ran,
                           .detail = static_cast<std::uint8_t>(i),
                           .small = 1,
                           .number = 2,
                           .id = i << 40U,
                           .begin = -static_cast<std::int64_t>(i),
                           .value = ~i});
    }
    return records;
}

std::string whole_file() {
    std::string file;
    const std::string text = encode_header(header());
    append(file,
           encode_block(BlockType::header, 0, std::as_bytes(std::span(text.data(), text.size()))));
    const auto records = some_records();
    append(file, encode_block(BlockType::records, 5, std::as_bytes(std::span(records))));
    append(file,
           encode_block(BlockType::names, 0, encode_names({{0, "f"}, {own_names_begin, "a\nb"}})));
    append(file, encode_block(BlockType::end, 0, {}));
    return file;
}

TEST(TraceFile, IsReadAsItWasWritten) {
    std::istringstream file(whole_file());
    TraceReader reader(file);
    const auto first = reader.next().value();
    EXPECT_EQ(
        decode_header({reinterpret_cast<const char*>(first.content.data()), first.content.size()}),
        header());
    const auto second = reader.next().value();
    EXPECT_EQ(second.lane, 5U);
    EXPECT_EQ(second.records(), some_records());
    const auto names = decode_names(reader.next().value().content).value();
    EXPECT_EQ(names, (Names{{0, "f"}, {own_names_begin, "a\nb"}}));
    EXPECT_FALSE(reader.complete());
    EXPECT_EQ(reader.next().value().type, BlockType::end);
    EXPECT_TRUE(reader.complete());
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.damage(), "");
}

TEST(TraceFile, CutOffAnywhereIsReadUpToItsLastWholeBlock) {
    const std::string file = whole_file();
    for (std::size_t size = 0; size < file.size(); ++size) {
        std::istringstream part(file.substr(0, size));
        TraceReader reader(part);
        std::size_t bytes = 0;
        while (const auto block = reader.next()) {
            bytes += block_head_bytes + block->content.size();
        }
        EXPECT_LE(bytes, size);
        EXPECT_FALSE(reader.complete());
        EXPECT_EQ(reader.damage().empty(), bytes == size) << size;
        EXPECT_FALSE(reader.next());
    }
}

TEST(TraceFile, AnyChangedBitIsNoticed) {
    const std::string file = whole_file();
    for (std::size_t at = 0; at < file.size(); ++at) {
        std::string changed = file;
        changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
        std::istringstream part(changed);
        TraceReader reader(part);
        std::size_t bytes = 0;
        while (const auto block = reader.next()) {
            bytes += block_head_bytes + block->content.size();
        }
        EXPECT_LE(bytes, at) << "the block with the change was taken";
        EXPECT_NE(reader.damage(), "");
    }
}

TEST(TraceFile, WhatIsNoHeaderOrNoNamesIsRefused) {
    for (const char* const text : {"x", "rank=3", "rank=3\n", "=\n", "run=xyz\nrank=1\n"}) {
        EXPECT_FALSE(decode_header(text)) << text;
    }
    auto names = encode_names({{1, "name"}});
    for (std::size_t size = 1; size < names.size(); ++size) {
        EXPECT_FALSE(decode_names(std::span(names).first(size))) << size;
    }
    EXPECT_TRUE(decode_names({}).value().empty());
}

} // namespace
} // namespace muster::look
