#include "journal/segment.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/crc32c.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace muster::journal {
namespace {

constexpr std::uint32_t record_marker = 0x31304a4d; // "MJ01"
constexpr std::uint32_t claims_marker = 0x31304b4d; // "MK01"

/// As it lies in a file.
struct RawHeader {
    std::uint32_t marker = record_marker;
    RecordKind kind{};
    std::uint32_t value_bytes = 0;
    std::uint32_t value_crc = 0;
    std::uint64_t key_high = 0;
    std::uint64_t key_low = 0;
    std::uint64_t extra = 0;
    std::uint32_t zero = 0;
    std::uint32_t header_crc = 0;
};

static_assert(sizeof(RawHeader) == record_header_bytes);

struct RawClaims {
    std::uint32_t marker = claims_marker;
    JobNumber job = 0;
    std::uint32_t count = 0;
    std::uint32_t crc = 0; ///< Of the keys, continued over job and count.
};

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

std::uint32_t crc_of(const RawHeader& raw) {
    return crc32c(bytes_of(raw).first(sizeof raw - sizeof raw.header_crc));
}

std::uint32_t crc_of(const RawClaims& raw, std::span<const std::byte> keys) {
    return crc32c(bytes_of(raw.count), crc32c(bytes_of(raw.job), crc32c(keys)));
}

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

} // namespace

void encode_header(std::vector<std::byte>& to,
                   RecordKind kind,
                   const KeyDigest& key,
                   std::uint64_t extra,
                   std::span<const std::byte> value) {
    MUSTER_ASSERT(value.size() <= value_bytes_max);
    RawHeader raw;
    raw.kind = kind;
    raw.value_bytes = static_cast<std::uint32_t>(value.size());
    raw.value_crc = crc32c(value);
    raw.key_high = key.high;
    raw.key_low = key.low;
    raw.extra = extra;
    raw.header_crc = crc_of(raw);
    append(to, bytes_of(raw));
}

void encode_record(std::vector<std::byte>& to,
                   RecordKind kind,
                   const KeyDigest& key,
                   std::uint64_t extra,
                   std::span<const std::byte> value) {
    encode_header(to, kind, key, extra, value);
    append(to, value);
}

std::optional<RecordHeader> decode_header(std::span<const std::byte> bytes) {
    RawHeader raw;
    if (bytes.size() < sizeof raw) {
        return std::nullopt;
    }
    std::memcpy(&raw, bytes.data(), sizeof raw);
    if (raw.marker != record_marker || raw.header_crc != crc_of(raw)) {
        return std::nullopt;
    }
    return RecordHeader{
        raw.kind, raw.value_bytes, raw.value_crc, {raw.key_high, raw.key_low}, raw.extra};
}

bool value_is_intact(const RecordHeader& header, std::span<const std::byte> value) {
    return value.size() == header.value_bytes && crc32c(value) == header.value_crc;
}

std::optional<Record> SegmentReader::next() {
    while (bytes_.size() - offset_ >= record_header_bytes) {
        const auto rest = bytes_.subspan(offset_);
        const auto header = decode_header(rest);
        if (!header) {
            ++offset_;
            ++damaged_bytes_;
            continue;
        }
        const auto after = rest.subspan(record_header_bytes);
        if (header->value_bytes > after.size()) {
            return std::nullopt;
        }
        const Record record{*header, after.first(header->value_bytes), offset_};
        const std::size_t size = record_header_bytes + header->value_bytes;
        offset_ += size;
        if (value_is_intact(*header, record.value)) {
            return record;
        }
        damaged_bytes_ += size;
    }
    return std::nullopt;
}

Result<SegmentStart> decode_start(const Record& record) {
    const auto refuse = [](std::string why) {
        return Failure{ErrorCode::malformed, std::move(why)};
    };
    if (record.header.kind != RecordKind::start || record.offset != 0) {
        return refuse("does not start as a segment of a journal does");
    }
    try {
        Reader reader(record.value);
        // The format is first, so that what follows may change with it.
        if (const auto format = decode<std::uint32_t>(reader); format != segment_format) {
            return refuse(fmt::format("has format {}, and this version of Muster reads format {}",
                                      format,
                                      segment_format));
        }
        return from_buffer<SegmentStart>(record.value);
    } catch (const Error& error) {
        return refuse(error.what());
    }
}

std::vector<std::byte> encode_claims(JobNumber job, std::span<const KeyDigest> keys) {
    RawClaims raw;
    raw.job = job;
    raw.count = static_cast<std::uint32_t>(keys.size());
    raw.crc = crc_of(raw, std::as_bytes(keys));
    std::vector<std::byte> bytes;
    bytes.reserve(sizeof raw + keys.size_bytes());
    append(bytes, bytes_of(raw));
    append(bytes, std::as_bytes(keys));
    return bytes;
}

std::optional<Claims> decode_claims(std::span<const std::byte> bytes) {
    RawClaims raw;
    if (bytes.size() < sizeof raw) {
        return std::nullopt;
    }
    std::memcpy(&raw, bytes.data(), sizeof raw);
    const auto keys = bytes.subspan(sizeof raw);
    if (raw.marker != claims_marker || keys.size() / sizeof(KeyDigest) != raw.count ||
        keys.size() % sizeof(KeyDigest) != 0 || raw.crc != crc_of(raw, keys)) {
        return std::nullopt;
    }
    Claims claims{raw.job, std::vector<KeyDigest>(raw.count)};
    if (raw.count > 0) {
        std::memcpy(claims.keys.data(), keys.data(), keys.size());
    }
    return claims;
}

} // namespace muster::journal
