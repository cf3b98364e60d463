#pragma once

#include "gang/channel.hpp"
#include "gang/descriptor.hpp"
#include "gang/ending.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

namespace muster::gang {

/// How large things in a segment are, by the number of members.
struct SegmentLayout {
    static constexpr std::uint64_t chunk_bytes_default = 256 << 10;
    /// What a meeting carries of all members together.
    static constexpr std::uint64_t carried_bytes = 32 << 10;
    /// Chunks under way at once; see SharedEngine on why not fewer.
    static constexpr std::uint64_t depth = 4;

    SegmentLayout(int members, std::uint64_t chunk_bytes);

    std::uint64_t members;
    std::uint64_t carried_room; ///< Of one member's contribution to a meeting.
    std::uint64_t piece_room;   ///< Of one member's piece of a chunk; whole cache lines.
    std::uint64_t chunk_room;   ///< A piece of each member.
    std::uint64_t bytes;        ///< Of the whole segment.
};

/// What one member tells the others without being asked.
struct alignas(128) Control {
    std::atomic<std::uint32_t> progress{0}; ///< Steps done, in the order that all members know.
    std::atomic<std::uint32_t> sleepers{0}; ///< How many sleep until progress changes.
    std::array<Descriptor, 2> calls;        ///< Of the last two meetings. In one cache line.
};

/// Memory that the members of one node share. It has no name: when nobody maps it any more, however
/// they ended, it is gone.
class Segment {
public:
    Segment(const Segment&) = delete;
    Segment& operator=(const Segment&) = delete;
    ~Segment();

    /// Makes one; null if the system has no memory for it, and errno says why.
    static std::shared_ptr<Segment> make(const SegmentLayout& layout, std::uint64_t nonce);

    /// Maps that of another process, or of this one; null if it cannot be, and errno says why.
    static std::shared_ptr<Segment>
    open(const SegmentLayout& layout, std::uint64_t nonce, std::int32_t process, std::int32_t fd);

    /// As long as the descriptor is open others can map it. Only of the one who made it.
    [[nodiscard]] int fd() const { return fd_; }

    void close_fd();

    [[nodiscard]] const SegmentLayout& layout() const { return layout_; }

    [[nodiscard]] Control& control(int member);
    /// Where a member's contribution to a meeting is, until the second meeting after it.
    [[nodiscard]] std::byte* carried(int member, std::uint64_t meeting);
    /// Where a member's pieces of a chunk are.
    [[nodiscard]] std::byte* chunk(int member, std::uint64_t chunk);

private:
    Segment(const SegmentLayout& layout, int fd, std::byte* memory)
        : layout_(layout), fd_(fd), memory_(memory) {}

    static std::shared_ptr<Segment> map(const SegmentLayout& layout, int fd);

    SegmentLayout layout_;
    int fd_;
    std::byte* memory_;
};

/// Collective: the members' common segment, made by member 0 and announced through the channel.
/// Null on all members if one cannot map it, which member 0 logs.
/// @throws Error if the gang has ended.
std::shared_ptr<Segment> share_segment(std::uint64_t gang,
                                       int self,
                                       std::span<const Member> members,
                                       std::uint64_t chunk_bytes,
                                       Channel& channel,
                                       const Ending& ending);

} // namespace muster::gang
