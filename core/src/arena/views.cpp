#include "arena/views.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace muster::arena {

class Views::Mapping {
public:
    Mapping(const std::byte* memory, std::uint64_t length) : memory_(memory), length_(length) {}

    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    ~Mapping() { munmap(const_cast<std::byte*>(memory_), length_); }

    [[nodiscard]] const std::byte* memory() const { return memory_; }

private:
    const std::byte* memory_;
    std::uint64_t length_;
};

std::shared_ptr<const Views::Mapping> Views::map(const wire::SharedPlace& place) {
    const Key key{place.process, place.fd, place.nonce};
    if (const auto known = mappings_.find(key); known != mappings_.end()) {
        return known->second;
    }
    const std::string path = fmt::format("/proc/{}/fd/{}", place.process, place.fd);
    // Whatever it is by now: to open a pipe must not wait for somebody to write to it.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return nullptr;
    }

    struct stat status {};

    void* memory = MAP_FAILED;
    errno = ESTALE;
    if (fstat(fd, &status) == 0 &&
        static_cast<std::uint64_t>(status.st_size) == place.arena_bytes) {
        memory = mmap(nullptr, place.arena_bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    }
    const int error = errno;
    ::close(fd);
    if (memory == MAP_FAILED) {
        errno = error;
        return nullptr;
    }
    (void)madvise(memory, place.arena_bytes, MADV_DONTDUMP);
    auto mapping =
        std::make_shared<const Mapping>(static_cast<const std::byte*>(memory), place.arena_bytes);
    // Process numbers and descriptors are reused, and differ between containers.
    if (std::memcmp(memory, &place.nonce, sizeof(place.nonce)) != 0) {
        errno = ESTALE;
        return nullptr;
    }
    mappings_.emplace(key, mapping);
    return mapping;
}

std::optional<Buffer> Views::open(const wire::SharedPlace& place, std::function<void()> ended) {
    if (place.arena_bytes < sizeof(place.nonce) || place.offset > place.arena_bytes ||
        place.size > place.arena_bytes - place.offset) {
        errno = EINVAL;
        return std::nullopt;
    }
    auto mapping = map(place);
    if (mapping == nullptr) {
        return std::nullopt;
    }
    const std::byte* const first = mapping->memory() + place.offset;
    std::shared_ptr<const std::byte[]> data(
        first,
        [mapping = std::move(mapping), ended = std::move(ended)](const std::byte*) { ended(); });
    return Buffer(std::move(data), place.size);
}

} // namespace muster::arena
