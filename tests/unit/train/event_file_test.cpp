#include <muster/train/event_file.hpp>

#include <gtest/gtest.h>

#include <string>

namespace muster::train {
namespace {

std::string hex(const std::string& bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += digits[static_cast<unsigned char>(c) >> 4U];
        text += digits[static_cast<unsigned char>(c) & 0xfU];
    }
    return text;
}

// Worked out by hand from event.proto and summary.proto; the CRCs are checked by the reader in
// tests/train/metrics_test.py, which has its own.
TEST(EventFile, WritesTheFieldsOfAnEvent) {
    const std::string record = event_record(1.5, 300, {{"loss", 0.5}});
    // wall_time = 1 (fixed64), step = 2 (varint), summary = 5 { value = 1 { tag = 1,
    // simple_value = 2 (fixed32) } }
    EXPECT_EQ(hex(record.substr(12, record.size() - 16)),
              "09000000000000f83f"
              "10ac02"
              "2a0d"
              "0a0b"
              "0a046c6f7373"
              "150000003f");
    EXPECT_EQ(hex(record.substr(0, 8)), "1b00000000000000") << "the length of what follows";
    EXPECT_EQ(record.size(), 12 + 0x1b + 4U);
}

TEST(EventFile, BeginsWithItsVersion) {
    const std::string record = version_record(0);
    EXPECT_NE(record.find("brain.Event:2"), std::string::npos);
}

} // namespace
} // namespace muster::train
