#include "process/channel.hpp"

#include <muster/base/error.hpp>
#include <muster/base/memory.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

namespace muster::process {
namespace {

/// In front of every packet. The body is the sizes of all payloads, the head, and the payloads.
struct Prefix {
    std::uint64_t head_size = 0;
    std::uint64_t payload_count = 0;
    std::uint64_t body_size = 0;
    std::uint64_t in_file = 0;
};

constexpr std::size_t pieces_at_once = 512; // below IOV_MAX

[[noreturn]] void throw_malformed(const char* what) {
    throw Error(fmt::format("between a rank and its process: {}", what), ErrorCode::malformed);
}

[[noreturn]] void throw_no_memory(std::uint64_t size, int error) {
    throw Error(fmt::format("cannot hand {} bytes to another process: {}",
                            size,
                            std::generic_category().message(error)));
}

UniqueFd write_file(std::span<const iovec> pieces, std::uint64_t size) {
    UniqueFd file(::memfd_create("muster-values", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) {
        throw_no_memory(size, errno);
    }
    std::vector<iovec> rest(pieces.begin(), pieces.end());
    std::size_t next = 0;
    while (next < rest.size()) {
        const std::size_t count = std::min(rest.size() - next, pieces_at_once);
        const ssize_t n = ::writev(file.get(), &rest[next], static_cast<int>(count));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw_no_memory(size, errno);
        }
        auto done = static_cast<std::size_t>(n);
        while (next < rest.size() && done >= rest[next].iov_len) {
            done -= rest[next++].iov_len;
        }
        if (done > 0) {
            iovec& piece = rest[next];
            piece.iov_base = static_cast<std::byte*>(piece.iov_base) + done;
            piece.iov_len -= done;
        }
    }
    // So that what the receiver has mapped stays as it is, and there.
    ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    return file;
}

Buffer map_file(const UniqueFd& file, std::uint64_t size) {
    struct stat info {};

    if (::fstat(file.get(), &info) != 0 || static_cast<std::uint64_t>(info.st_size) < size ||
        (::fcntl(file.get(), F_GET_SEALS) & F_SEAL_SHRINK) == 0) {
        throw_malformed("a file of values is not as announced");
    }
    void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
    if (data == MAP_FAILED) {
        throw_no_memory(size, errno);
    }
    return {std::shared_ptr<const std::byte[]>(
                static_cast<const std::byte*>(data),
                [size](const std::byte* bytes) { ::munmap(const_cast<std::byte*>(bytes), size); }),
            size};
}

Frame unpack(const Prefix& prefix, const Buffer& body) {
    const auto bytes = body.bytes();
    if (prefix.payload_count > bytes.size() / sizeof(std::uint64_t)) {
        throw_malformed("more payloads than bytes");
    }
    std::uint64_t offset = prefix.payload_count * sizeof(std::uint64_t);
    const auto take = [&](std::uint64_t size) {
        if (size > bytes.size() - offset) {
            throw_malformed("a payload is cut off");
        }
        return body.slice(std::exchange(offset, offset + size), size);
    };
    Frame frame;
    frame.head = take(prefix.head_size);
    frame.payloads.reserve(prefix.payload_count);
    for (std::uint64_t i = 0; i < prefix.payload_count; ++i) {
        std::uint64_t size = 0;
        std::memcpy(&size, bytes.data() + i * sizeof size, sizeof size);
        frame.payloads.push_back(take(size));
    }
    return frame;
}

} // namespace

Channel::Packet Channel::pack(std::span<const std::byte> head, std::span<const Buffer> payloads) {
    std::vector<std::uint64_t> sizes;
    std::vector<iovec> pieces;
    Prefix prefix{head.size(), payloads.size(), 0, 0};
    const auto add = [&](std::span<const std::byte> bytes) {
        if (!bytes.empty()) {
            pieces.push_back({const_cast<std::byte*>(bytes.data()), bytes.size()});
            prefix.body_size += bytes.size();
        }
    };
    for (const Buffer& payload : payloads) {
        sizes.push_back(payload.size());
    }
    add(std::as_bytes(std::span(sizes)));
    add(head);
    for (const Buffer& payload : payloads) {
        add(payload.bytes());
    }
    Packet packet;
    prefix.in_file = prefix.body_size + sizeof prefix > packet_bytes_max ? 1 : 0;
    const auto append = [&](const void* data, std::size_t size) {
        const auto* const bytes = static_cast<const std::byte*>(data);
        packet.bytes.insert(packet.bytes.end(), bytes, bytes + size);
    };
    append(&prefix, sizeof prefix);
    if (prefix.in_file != 0) {
        packet.file = write_file(pieces, prefix.body_size);
    } else {
        packet.bytes.reserve(sizeof prefix + prefix.body_size);
        for (const iovec& piece : pieces) {
            append(piece.iov_base, piece.iov_len);
        }
    }
    return packet;
}

bool Channel::send_packet(const Packet& packet, Wait wait) const {
    iovec bytes{const_cast<std::byte*>(packet.bytes.data()), packet.bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (packet.file) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = packet.file.get();
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    const int flags = MSG_NOSIGNAL | (wait == Wait::no ? MSG_DONTWAIT : 0);
    while (::sendmsg(socket_, &message, flags) < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return false;
        }
        if (errno != EINTR) {
            return true; // nobody receives any more
        }
    }
    return true;
}

void Channel::send(std::span<const std::byte> head, std::span<const Buffer> payloads, Wait wait) {
    Packet packet = pack(head, payloads);
    if (has_unsent() || !send_packet(packet, wait)) {
        unsent_.push_back(std::move(packet));
    }
}

bool Channel::flush() {
    while (!unsent_.empty() && send_packet(unsent_.front(), Wait::no)) {
        unsent_.pop_front();
    }
    return unsent_.empty();
}

Channel::Received Channel::receive(Wait wait) {
    iovec bytes{packet_.data(), packet_.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t n = 0;
    while ((n = ::recvmsg(
                socket_, &message, MSG_CMSG_CLOEXEC | (wait == Wait::no ? MSG_DONTWAIT : 0))) < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return {};
        }
        if (errno != EINTR) {
            return {std::nullopt, true};
        }
    }
    UniqueFd file;
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
        header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        file = UniqueFd(fd);
    }
    if (n == 0) {
        return {std::nullopt, true};
    }
    Prefix prefix;
    if (static_cast<std::size_t>(n) < sizeof prefix) {
        throw_malformed("a packet is too short");
    }
    std::memcpy(&prefix, packet_.data(), sizeof prefix);
    if (prefix.in_file != 0) {
        if (!file) {
            throw_malformed(
                "a file of values did not come: no file descriptor is left (ulimit -n)");
        }
        return {unpack(prefix, map_file(file, prefix.body_size)), false};
    }
    if (prefix.body_size != static_cast<std::size_t>(n) - sizeof prefix) {
        throw_malformed("a packet has another size than it says");
    }
    return {unpack(prefix,
                   Buffer::copy_of(std::span<const std::byte>(packet_).subspan(sizeof prefix,
                                                                               prefix.body_size))),
            false};
}

} // namespace muster::process
