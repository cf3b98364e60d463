#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A rank's trace: what happened on it, in records of one size.
///
/// The file is a sequence of blocks, each with a checksum of its own: a run that was killed has
/// left a file that can be read up to the last block that is whole. The first block is the header,
/// the last one, of a run that ended in order, an empty one of type `end`. All numbers are
/// little-endian. Times are nanoseconds of the rank's own monotonic clock.
namespace muster::look {

inline constexpr std::uint32_t trace_magic = 0x4352544d; // "MTRC"
inline constexpr std::uint16_t trace_version = 1;
inline constexpr const char* trace_suffix = ".mtrace";

/// What a record says. Numbers are never used again.
enum class Event : std::uint8_t {
    /// A task or call ran, from begin, for `value`. `number`: its function. `small`: the attempt.
    /// `detail`: bits, below.
    ran = 1,
    /// `value` tasks were submitted, at begin, the first of which is `id`. `number`: the function.
    submitted = 2,
    /// Of the same: by the task `value` (0: by the driver), with the name `number` (0: none).
    /// `begin`: ids from one task to the next. Without one: by the driver, no name, 1.
    submitted_by = 3,
    /// `id` takes the value of `value`.
    depends = 4,
    /// `id` bytes came from rank `number`, from begin, for `value`.
    transfer = 5,
    /// A member, the task `id`, was in a collective (`detail`: its kind), from begin, for `value`.
    /// `number` and, above it, `small`: bytes.
    collective = 6,
    /// The task `id` (0: the driver) waited, from begin, for `value`.
    waited = 7,
    /// What that was for, if it was for one: the task or object `value`.
    waited_for = 8,
    /// At begin, the driver's rank's clock was `id` (signed) ahead, within half of `value`.
    clock = 9,
    /// The task `id` still ran when this was written, at `value`, and had begun at `begin`.
    /// `number`: its function.
    runs = 10,
    /// The attempt of `id` that the record before is about failed; `number`: the name that is why.
    failed_because = 11,
};

// Bits of `detail` of what ran.
inline constexpr unsigned ran_failed = 1;
inline constexpr unsigned ran_suspended = 2; ///< A coroutine, which goes on in a later record.
inline constexpr unsigned ran_call = 4;      ///< Of an actor.
inline constexpr unsigned ran_member = 8;    ///< Of a gang.
inline constexpr unsigned ran_isolated = 16;
inline constexpr unsigned ran_made_actor = 32;
inline constexpr unsigned ran_cancelled = 64;

struct Record {
    Event event{};
    std::uint8_t detail = 0;
    std::uint16_t small = 0;
    std::uint32_t number = 0;
    std::uint64_t id = 0;
    std::int64_t begin = 0;
    std::uint64_t value = 0;

    friend bool operator==(const Record&, const Record&) = default;
};

static_assert(sizeof(Record) == 32);

/// Names that are no function's have numbers from here on.
inline constexpr std::uint32_t own_names_begin = std::uint32_t{1} << 31;

struct TraceHeader {
    std::uint64_t run_id = 0;
    std::int32_t rank = 0;
    std::int32_t world_size = 1;
    std::int32_t node = 0;
    std::string host{};
    std::int64_t pid = 0;
    double cpus = 0;
    std::string program{};
    std::string job{};             ///< Slurm's; may be empty.
    std::int64_t monotonic_ns = 0; ///< When the trace began,
    std::int64_t realtime_ns = 0;  ///< the same moment.

    friend bool operator==(const TraceHeader&, const TraceHeader&) = default;
};

enum class BlockType : std::uint16_t { header = 1, records = 2, names = 3, end = 4 };

/// Numbers of functions and of other names, and what they are called.
using Names = std::vector<std::pair<std::uint32_t, std::string>>;

/// @param lane  Which thread of the rank it is about.
[[nodiscard]] std::vector<std::byte>
encode_block(BlockType type, std::uint32_t lane, std::span<const std::byte> content);

/// What goes before a block's content, for who writes both without copying.
inline constexpr std::size_t block_head_bytes = 24;
void encode_block_head(std::span<std::byte, block_head_bytes> head,
                       BlockType type,
                       std::uint32_t lane,
                       std::span<const std::byte> content);

[[nodiscard]] std::string encode_header(const TraceHeader& header);
/// Nothing: that is none.
[[nodiscard]] std::optional<TraceHeader> decode_header(std::string_view content);
[[nodiscard]] std::vector<std::byte> encode_names(const Names& names);
[[nodiscard]] std::optional<Names> decode_names(std::span<const std::byte> content);

struct Block {
    BlockType type{};
    std::uint32_t lane = 0;
    std::vector<std::byte> content;

    [[nodiscard]] std::vector<Record> records() const;
};

/// Reads a trace, a block at a time, up to its end or to where it is damaged.
class TraceReader {
public:
    /// `file` must outlive the reader.
    explicit TraceReader(std::istream& file) : file_(file) {}

    /// Nothing: that was the last one.
    [[nodiscard]] std::optional<Block> next();

    /// The block that a run writes last has been read.
    [[nodiscard]] bool complete() const { return complete_; }

    /// Why no more was read, in a few words, if the file does not end where a block does.
    [[nodiscard]] const std::string& damage() const { return damage_; }

private:
    std::istream& file_;
    std::uint64_t offset_ = 0;
    bool complete_ = false;
    std::string damage_;
};

} // namespace muster::look
