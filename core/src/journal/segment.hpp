#pragma once

#include <muster/base/result.hpp>
#include <muster/core/detail/key_digest.hpp>
#include <muster/core/serialize.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The bytes of a journal's files. Pure.
///
/// A *segment* is what one job has recorded: records one after another, only ever appended to. Each
/// is a header of 48 bytes, little endian, and a value:
///
///     u32 marker  u32 kind  u32 value bytes  u32 CRC-32C of the value
///     u64 u64 key  u64 extra  u32 zero  u32 CRC-32C of the 44 bytes before
///
/// The header's own checksum makes its length trustworthy: a damaged value costs that record and no
/// more, and after a damaged header the reader goes on at the next place where a header's checksum
/// holds. LevelDB's log gets there with blocks of 32 KiB; here records may be of any size, and
/// resynchronising still costs one pass.
///
/// A *claim batch* is one file of keys that a job is going to compute.
namespace muster::journal {

using detail::KeyDigest;

/// Jobs and claim batches of a directory count up from 1; 0: none.
using JobNumber = std::uint32_t;
using BatchNumber = std::uint32_t;

enum class RecordKind : std::uint32_t {
    start = 1,    ///< Value: a SegmentStart. The first record, and only that.
    result = 2,   ///< Value: the task's encoded result. Extra: the hash of its type's shape.
    released = 3, ///< The key's task has failed. Extra: the claim batch that is void now.
    end = 4,      ///< The job has ended in order: its claims are void.
};

/// Who writes a segment.
struct SegmentStart {
    std::uint32_t format = 0;
    JobNumber job = 0;
    std::string program_version;
    std::string host;
    std::string boot; ///< Names this boot of the host's kernel: locks hold among those with one.
    std::int32_t pid = 0;
    std::int64_t started = 0; ///< Seconds since 1970.
    bool locked = false;      ///< It holds a lock on its segment for as long as it lives.
};

inline constexpr std::uint32_t segment_format = 1;
inline constexpr std::size_t record_header_bytes = 48;
inline constexpr std::uint64_t value_bytes_max = UINT32_MAX;

struct RecordHeader {
    RecordKind kind{};
    std::uint32_t value_bytes = 0;
    std::uint32_t value_crc = 0;
    KeyDigest key;
    std::uint64_t extra = 0;
};

/// Appends a whole record, checksums and all.
void encode_record(std::vector<std::byte>& to,
                   RecordKind kind,
                   const KeyDigest& key,
                   std::uint64_t extra,
                   std::span<const std::byte> value);

/// Appends the header of a record alone: its value follows from elsewhere.
void encode_header(std::vector<std::byte>& to,
                   RecordKind kind,
                   const KeyDigest& key,
                   std::uint64_t extra,
                   std::span<const std::byte> value);

/// Nothing if the first 48 bytes are no header: too few, or their checksum does not hold.
[[nodiscard]] std::optional<RecordHeader> decode_header(std::span<const std::byte> bytes);

[[nodiscard]] bool value_is_intact(const RecordHeader& header, std::span<const std::byte> value);

struct Record {
    RecordHeader header;
    std::span<const std::byte> value; ///< Into the bytes given.
    std::size_t offset = 0;           ///< Of the header in the bytes given.
};

/// Walks over the records in a piece of a segment. Allocates nothing; takes any bytes.
class SegmentReader {
public:
    explicit SegmentReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    /// The next intact record; nothing at the end of the bytes or at a record that they cut short.
    std::optional<Record> next();

    /// Where the walk stands: what lies behind is read, what follows is cut short, or a tail that
    /// was torn.
    [[nodiscard]] std::size_t offset() const { return offset_; }

    /// Bytes that were walked over because they were no intact record.
    [[nodiscard]] std::size_t damaged_bytes() const { return damaged_bytes_; }

private:
    std::span<const std::byte> bytes_;
    std::size_t offset_ = 0;
    std::size_t damaged_bytes_ = 0;
};

/// @return a Failure for a record that is no start, or of a format this version does not know.
[[nodiscard]] Result<SegmentStart> decode_start(const Record& record);

[[nodiscard]] std::vector<std::byte> encode_claims(JobNumber job, std::span<const KeyDigest> keys);

struct Claims {
    JobNumber job = 0;
    std::vector<KeyDigest> keys;
};

/// Nothing if the bytes are no claim batch, whole and intact.
[[nodiscard]] std::optional<Claims> decode_claims(std::span<const std::byte> bytes);

} // namespace muster::journal
