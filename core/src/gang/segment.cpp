#include "gang/segment.hpp"

#include "gang/transfers.hpp"
#include "wire/gang_tags.hpp"

#include <muster/base/log.hpp>
#include <muster/base/random.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace muster::gang {
namespace {

constexpr std::uint64_t line = 64;

constexpr std::uint64_t whole_lines(std::uint64_t bytes) {
    return (bytes + line - 1) / line * line;
}

// At the beginning of a segment, so that nobody takes another process' memory for it: process
// numbers and descriptors are reused, and differ between containers.
struct alignas(128) Header {
    std::uint64_t nonce = 0;
};

} // namespace

SegmentLayout::SegmentLayout(int member_count, std::uint64_t chunk_bytes)
    : members(static_cast<std::uint64_t>(member_count)),
      carried_room(whole_lines(carried_bytes / members)),
      piece_room(std::max(line, whole_lines(chunk_bytes / members))),
      chunk_room(piece_room * members),
      bytes(sizeof(Header) + members * (sizeof(Control) + 2 * carried_room + depth * chunk_room)) {
}

std::shared_ptr<Segment> Segment::map(const SegmentLayout& layout, int fd) {
    void* const memory =
        mmap(nullptr, layout.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    return std::shared_ptr<Segment>(new Segment(layout, fd, static_cast<std::byte*>(memory)));
}

std::shared_ptr<Segment> Segment::make(const SegmentLayout& layout, std::uint64_t nonce) {
    const int fd = memfd_create("muster-gang", MFD_CLOEXEC);
    if (fd < 0) {
        return nullptr;
    }
    // Reserved now: memory that is missing at the first write is a signal instead of an error.
    std::shared_ptr<Segment> segment;
    const int refusal = posix_fallocate(fd, 0, static_cast<off_t>(layout.bytes));
    if (refusal != 0) {
        errno = refusal;
    } else {
        segment = map(layout, fd);
    }
    if (!segment) {
        const int error = errno;
        ::close(fd);
        errno = error;
        return nullptr;
    }
    for (int member = 0; member < static_cast<int>(layout.members); ++member) {
        new (&segment->control(member)) Control;
    }
    new (segment->memory_) Header{nonce};
    return segment;
}

std::shared_ptr<Segment> Segment::open(const SegmentLayout& layout,
                                       std::uint64_t nonce,
                                       std::int32_t process,
                                       std::int32_t fd) {
    const std::string path = fmt::format("/proc/{}/fd/{}", process, fd);
    const int own = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (own < 0) {
        return nullptr;
    }

    struct stat status {};

    std::shared_ptr<Segment> segment;
    errno = ESTALE;
    if (fstat(own, &status) == 0 && static_cast<std::uint64_t>(status.st_size) == layout.bytes) {
        segment = map(layout, own);
    }
    const int error = errno;
    ::close(own);
    if (segment) {
        segment->fd_ = -1;
        if (reinterpret_cast<const Header*>(segment->memory_)->nonce == nonce) {
            return segment;
        }
    }
    errno = error;
    return nullptr;
}

Segment::~Segment() {
    munmap(memory_, layout_.bytes);
    close_fd();
}

void Segment::close_fd() {
    if (fd_ >= 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

Control& Segment::control(int member) {
    std::byte* const first = memory_ + sizeof(Header);
    return *std::launder(
        reinterpret_cast<Control*>(first + static_cast<std::uint64_t>(member) * sizeof(Control)));
}

std::byte* Segment::carried(int member, std::uint64_t meeting) {
    std::byte* const first = memory_ + sizeof(Header) + layout_.members * sizeof(Control);
    return first + (static_cast<std::uint64_t>(member) * 2 + meeting % 2) * layout_.carried_room;
}

std::byte* Segment::chunk(int member, std::uint64_t chunk) {
    std::byte* const first =
        memory_ + sizeof(Header) + layout_.members * (sizeof(Control) + 2 * layout_.carried_room);
    constexpr std::uint64_t depth = SegmentLayout::depth;
    return first +
           (static_cast<std::uint64_t>(member) * depth + chunk % depth) * layout_.chunk_room;
}

namespace {

struct Invitation {
    std::uint64_t nonce = 0;
    std::int32_t process = 0;
    std::int32_t fd = 0;
    std::int32_t error = 0; // Not 0: there is no segment.
    std::int32_t reserved = 0;
};

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

template <class T>
std::span<std::byte> room_for(T& value) {
    return std::as_writable_bytes(std::span(&value, 1));
}

constexpr Tag tag_invitation = wire::tag_of_segments;
constexpr Tag tag_answer = wire::tag_of_segments + 1;
constexpr Tag tag_verdict = wire::tag_of_segments + 2;

std::shared_ptr<Segment> invite(std::uint64_t gang,
                                std::span<const Member> members,
                                const SegmentLayout& layout,
                                Channel& channel,
                                const Ending& ending) {
    Invitation invitation;
    invitation.process = static_cast<std::int32_t>(getpid());
    invitation.nonce =
        mix64(gang ^ mix64(static_cast<std::uint64_t>(
                               std::chrono::steady_clock::now().time_since_epoch().count()) ^
                           (static_cast<std::uint64_t>(invitation.process) << 40)));
    std::shared_ptr<Segment> segment = Segment::make(layout, invitation.nonce);
    invitation.fd = segment ? segment->fd() : -1;
    invitation.error = segment ? 0 : errno;

    const int n = static_cast<int>(members.size());
    std::vector<std::int32_t> answers(members.size(), 0);
    Transfers transfers(channel, ending);
    for (int member = 1; member < n; ++member) {
        transfers.send(member, tag_invitation, bytes_of(invitation));
        transfers.receive(member, tag_answer, room_for(answers[static_cast<std::size_t>(member)]));
    }
    transfers.wait();
    answers[0] = invitation.error;
    const auto failed = std::find_if(answers.begin(), answers.end(), [](auto e) { return e != 0; });
    const std::int32_t verdict = failed == answers.end() ? 0 : *failed;
    for (int member = 1; member < n; ++member) {
        transfers.send(member, tag_verdict, bytes_of(verdict));
    }
    transfers.wait();
    if (verdict != 0) {
        log::warn("gang",
                  "no_shared_memory bytes={} who=\"{}\" why=\"{}\" instead=messages",
                  layout.bytes,
                  describe(static_cast<int>(failed - answers.begin()), members),
                  std::strerror(verdict));
        return nullptr;
    }
    segment->close_fd();
    return segment;
}

std::shared_ptr<Segment>
accept(const SegmentLayout& layout, Channel& channel, const Ending& ending) {
    Invitation invitation;
    Transfers transfers(channel, ending);
    transfers.receive(0, tag_invitation, room_for(invitation));
    transfers.wait();
    std::shared_ptr<Segment> segment;
    std::int32_t answer = invitation.error;
    if (answer == 0) {
        segment = Segment::open(layout, invitation.nonce, invitation.process, invitation.fd);
        answer = segment ? 0 : errno;
    }
    std::int32_t verdict = 0;
    transfers.send(0, tag_answer, bytes_of(answer));
    transfers.receive(0, tag_verdict, room_for(verdict));
    transfers.wait();
    return verdict == 0 ? segment : nullptr;
}

} // namespace

std::shared_ptr<Segment> share_segment(std::uint64_t gang,
                                       int self,
                                       std::span<const Member> members,
                                       std::uint64_t chunk_bytes,
                                       Channel& channel,
                                       const Ending& ending) {
    const SegmentLayout layout(static_cast<int>(members.size()), chunk_bytes);
    return self == 0 ? invite(gang, members, layout, channel, ending)
                     : accept(layout, channel, ending);
}

} // namespace muster::gang
