#include "arena/arena.hpp"

#include <muster/base/random.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>

namespace muster::arena {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t line = 64;

// The first page says which arena it is.
constexpr std::uint64_t header_bytes = page;

constexpr std::uint64_t whole(std::uint64_t bytes, std::uint64_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

bool reserve(int fd, std::uint64_t offset, std::uint64_t size) {
    int error = 0;
    do {
        error = posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(size));
    } while (error == EINTR);
    errno = error;
    return error == 0;
}

int make_file(const std::string& directory) {
    if (directory.empty()) {
        return memfd_create("muster-values", MFD_CLOEXEC);
    }
    const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
        return fd;
    }
    // A file system without nameless files, as many that come over the network.
    std::string path = directory + "/muster-values-XXXXXX";
    const int named = mkostemp(path.data(), O_CLOEXEC);
    if (named >= 0) {
        unlink(path.c_str());
    }
    return named;
}

} // namespace

std::shared_ptr<Arena> Arena::make(const Config& config) {
    const std::uint64_t length = header_bytes + whole(config.bytes_max, page);

    struct rlimit files {};

    if (getrlimit(RLIMIT_FSIZE, &files) == 0 && files.rlim_cur < length) {
        errno = EFBIG; // what exceeds it ends the process with a signal
        return nullptr;
    }
    const int fd = make_file(config.directory);
    if (fd < 0) {
        return nullptr;
    }
    void* memory = MAP_FAILED;
    if (ftruncate(fd, static_cast<off_t>(length)) == 0 && reserve(fd, 0, header_bytes)) {
        memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    }
    if (memory == MAP_FAILED) {
        const int error = errno;
        ::close(fd);
        errno = error;
        return nullptr;
    }
    (void)madvise(memory, length, MADV_DONTDUMP);
    return std::shared_ptr<Arena>(new Arena(config, fd, static_cast<std::byte*>(memory), length));
}

Arena::Arena(const Config& config, int fd, std::byte* memory, std::uint64_t length)
    : config_(config), fd_(fd), memory_(memory), length_(length), extents_(header_bytes, length) {
    const auto now =
        static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    nonce_ = mix64(now ^ mix64(reinterpret_cast<std::uintptr_t>(memory) ^
                               (static_cast<std::uint64_t>(getpid()) << 40)));
    std::memcpy(memory_, &nonce_, sizeof(nonce_));
}

Arena::~Arena() {
    munmap(memory_, length_);
    ::close(fd_);
}

std::shared_ptr<std::byte[]> Arena::allocate(std::size_t size) {
    if (size == 0 || size > length_) {
        return nullptr;
    }
    const std::uint64_t pages = whole(size, page);
    Extent extent;
    {
        const std::lock_guard lock(mutex_);
        const auto taken = extents_.take(pages);
        if (!taken) {
            return nullptr;
        }
        extent = *taken;
    }
    // Without the lock: clearing pages takes long.
    if (!extent.warm && !warm_up(extent)) {
        const std::lock_guard lock(mutex_);
        extents_.give_back(extent);
        return nullptr;
    }
    extent.warm = true;
    std::byte* const first = memory_ + extent.offset + (whole(size, line) - size);
    return {first, [arena = shared_from_this(), extent](std::byte*) { arena->free(extent); }};
}

bool Arena::warm_up(const Extent& extent) {
    if (reserve(fd_, extent.offset, extent.size)) {
        return true;
    }
    {
        const std::lock_guard lock(mutex_);
        cool_down(0);
    }
    return reserve(fd_, extent.offset, extent.size);
}

void Arena::cool_down(std::uint64_t bytes_max) {
    while (extents_.warm_bytes() > bytes_max) {
        auto extent = extents_.take_warm();
        // Of a file in memory it does not fail; where it does, the memory is kept.
        extent->warm = fallocate(fd_,
                                 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 static_cast<off_t>(extent->offset),
                                 static_cast<off_t>(extent->size)) != 0;
        const bool stuck = extent->warm;
        extents_.give_back(*extent);
        if (stuck) {
            return;
        }
    }
}

void Arena::free(Extent extent) noexcept {
    {
        const std::lock_guard lock(mutex_);
        extents_.give_back(extent);
        cool_down(config_.warm_bytes_max);
    }
    if (config_.freed) {
        config_.freed();
    }
}

std::optional<wire::SharedPlace> Arena::place_of(const Buffer& buffer) const {
    const std::byte* const first = buffer.bytes().data();
    const std::less<const std::byte*> before;
    if (buffer.empty() || before(first, memory_) || !before(first, memory_ + length_)) {
        return std::nullopt;
    }
    return wire::SharedPlace{
        .process = static_cast<std::int32_t>(getpid()),
        .fd = fd_,
        .nonce = nonce_,
        .arena_bytes = length_,
        .offset = static_cast<std::uint64_t>(first - memory_),
        .size = buffer.size(),
    };
}

std::uint64_t Arena::allocated_bytes() const {
    const std::lock_guard lock(mutex_);
    return length_ - header_bytes - extents_.free_bytes();
}

} // namespace muster::arena
