#include "journal/segment.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace muster::journal {
namespace {

/// A segment of a start and results whose values are of many sizes.
class Sample {
public:
    Sample() {
        add(RecordKind::start, {}, to_buffer(start()));
        for (std::uint64_t i = 0; i < 6; ++i) {
            add(RecordKind::result, {i, i * 7}, to_buffer(std::string(i * 5, 'x')));
        }
        add(RecordKind::released, {9, 9}, {});
        add(RecordKind::end, {}, {});
    }

    static SegmentStart start() {
        SegmentStart start;
        start.format = segment_format;
        start.job = 3;
        start.program_version = "2.1";
        start.host = "n17";
        return start;
    }

    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

    [[nodiscard]] std::size_t count() const { return offsets_.size(); }

    /// Of each record; one more for the end.
    [[nodiscard]] std::size_t offset(std::size_t record) const {
        return record == count() ? bytes_.size() : offsets_[record];
    }

private:
    void add(RecordKind kind, const KeyDigest& key, const Buffer& value) {
        offsets_.push_back(bytes_.size());
        encode_record(bytes_, kind, key, 42, value.bytes());
    }

    std::vector<std::byte> bytes_;
    std::vector<std::size_t> offsets_;
};

std::vector<Record> read_all(std::span<const std::byte> bytes) {
    std::vector<Record> records;
    SegmentReader reader(bytes);
    while (const auto record = reader.next()) {
        records.push_back(*record);
    }
    return records;
}

bool equal(const Record& a, const Record& b) {
    return a.header.kind == b.header.kind && a.header.key == b.header.key &&
           a.header.extra == b.header.extra &&
           std::equal(a.value.begin(), a.value.end(), b.value.begin(), b.value.end());
}

TEST(Segment, ReadsBackWhatWasWritten) {
    const Sample sample;
    const auto records = read_all(sample.bytes());
    ASSERT_EQ(records.size(), sample.count());
    for (std::size_t i = 0; i < records.size(); ++i) {
        EXPECT_EQ(records[i].offset, sample.offset(i));
    }
    const auto start = decode_start(records[0]);
    ASSERT_TRUE(start) << start.error().message;
    EXPECT_EQ(start->job, 3U);
    EXPECT_EQ(start->program_version, "2.1");
    EXPECT_EQ(start->host, "n17");
    EXPECT_EQ(records[4].header.key, (KeyDigest{3, 21}));
    EXPECT_EQ(records[4].header.extra, 42U);
    EXPECT_EQ(from_buffer<std::string>(records[4].value), std::string(15, 'x'));
}

TEST(Segment, CutAnywhereItReadsTheWholeRecordsBeforeTheCut) {
    const Sample sample;
    for (std::size_t size = 0; size <= sample.bytes().size(); ++size) {
        SegmentReader reader(sample.bytes().first(size));
        std::size_t records = 0;
        std::size_t end = 0;
        while (reader.next()) {
            ++records;
            end = reader.offset();
        }
        ASSERT_EQ(end, sample.offset(records)) << size;
        ASSERT_LE(end, size);
        ASSERT_TRUE(records == sample.count() || sample.offset(records + 1) > size) << size;
        EXPECT_EQ(reader.damaged_bytes(), 0U) << size;
    }
}

TEST(Segment, AnyChangedByteCostsItsRecordAndNoOther) {
    const Sample sample;
    const auto whole = read_all(sample.bytes());
    std::vector<std::byte> bytes(sample.bytes().begin(), sample.bytes().end());
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            const auto flip = static_cast<std::byte>(1U << static_cast<unsigned>(bit));
            bytes[at] ^= flip;
            const auto records = read_all(bytes);
            bytes[at] ^= flip;
            ASSERT_EQ(records.size() + 1, whole.size()) << at;
            std::size_t next = 0;
            for (const auto& record : records) {
                if (at >= sample.offset(next) && at < sample.offset(next + 1)) {
                    ++next; // the damaged one
                }
                // `record` refers to bytes that are whole again, so a change inside it would not
                // show here; that is why counts and offsets are compared as well.
                ASSERT_EQ(record.offset, whole[next].offset) << at;
                ASSERT_TRUE(equal(record, whole[next])) << at;
                ++next;
            }
        }
    }
}

TEST(Segment, GoesOnBehindGarbage) {
    const Sample sample;
    for (const std::size_t size : {1U, 47U, 48U, 1000U}) {
        std::vector<std::byte> bytes(size, std::byte{0x4d}); // as a marker begins
        bytes.insert(bytes.end(), sample.bytes().begin(), sample.bytes().end());
        SegmentReader reader(bytes);
        std::size_t records = 0;
        while (reader.next()) {
            ++records;
        }
        EXPECT_EQ(records, sample.count());
        EXPECT_EQ(reader.damaged_bytes(), size);
    }
}

TEST(Segment, RefusesAStartItDoesNotKnow) {
    auto start = Sample::start();
    start.format = 9;
    std::vector<std::byte> bytes;
    encode_record(bytes, RecordKind::start, {}, 0, to_buffer(start).bytes());
    const auto newer = decode_start(*SegmentReader(bytes).next());
    ASSERT_FALSE(newer);
    EXPECT_NE(newer.error().message.find("format 9"), std::string::npos);

    bytes.clear();
    encode_record(bytes, RecordKind::result, {}, 0, to_buffer(start).bytes());
    EXPECT_FALSE(decode_start(*SegmentReader(bytes).next()));

    bytes.clear();
    encode_record(bytes, RecordKind::start, {}, 0, to_buffer(segment_format).bytes());
    EXPECT_FALSE(decode_start(*SegmentReader(bytes).next())) << "nothing behind the format";
}

TEST(Claims, ReadBackWhatWasWritten) {
    for (std::uint64_t count = 0; count < 5; ++count) {
        std::vector<KeyDigest> keys;
        for (std::uint64_t i = 0; i < count; ++i) {
            keys.push_back({i, i + 1});
        }
        const auto claims = decode_claims(encode_claims(8, keys));
        ASSERT_TRUE(claims);
        EXPECT_EQ(claims->job, 8U);
        EXPECT_EQ(claims->keys, keys);
    }
}

TEST(Claims, CutOrChangedTheyAreNone) {
    const std::vector<KeyDigest> keys{{1, 2}, {3, 4}};
    auto bytes = encode_claims(8, keys);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_claims(std::span(bytes).first(size))) << size;
    }
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        bytes[at] ^= std::byte{0x10};
        EXPECT_FALSE(decode_claims(bytes)) << at;
        bytes[at] ^= std::byte{0x10};
    }
    EXPECT_TRUE(decode_claims(bytes));
    bytes.push_back({});
    EXPECT_FALSE(decode_claims(bytes));
}

} // namespace
} // namespace muster::journal
