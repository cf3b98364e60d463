#pragma once

#include "arena/extents.hpp"
#include "wire/shared_place.hpp"

#include <muster/core/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace muster::arena {

/// Memory of one process that others can read, from which large values get theirs.
///
/// A mapped file, in memory or on a disk, that has no name: it goes when the last process that has
/// it is gone, whatever ended them. Other processes of the same user open it through /proc (see
/// Views). A range gets its memory, or its place on the disk, when it is allocated, so that what
/// does not fit is refused here, and no write to it can fail for want of room. `bytes_max` must
/// leave the machine room: at the end of its memory the system ends processes, and refuses nothing.
/// Memory of freed ranges is kept for the next ones, up to a bound.
///
/// Thread-safe.
class Arena : public std::enable_shared_from_this<Arena> {
public:
    struct Config {
        std::uint64_t bytes_max = 0; ///< Of all that is allocated at once.
        /// Of memory kept for later. A freed range of 100 MiB is worth 30 ms of clearing pages.
        std::uint64_t warm_bytes_max = std::uint64_t{512} << 20;
        std::string directory{};       ///< Where the file is; empty: in memory.
        std::function<void()> freed{}; ///< A range is free again. Called on any thread.
    };

    /// What large is: smaller values are copied as quickly as they would be found.
    static constexpr std::size_t large_bytes_min = std::size_t{64} << 10;

    /// @return nothing if the system refuses; errno says why.
    [[nodiscard]] static std::shared_ptr<Arena> make(const Config& config);

    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    /// `size` bytes that end at a multiple of 64 from the arena's start. They hold anything, and
    /// are free again with the last pointer to them, which may outlive every other.
    /// @return nothing if there is no room, or no memory.
    [[nodiscard]] std::shared_ptr<std::byte[]> allocate(std::size_t size);

    /// Where the buffer's bytes lie, if they lie here.
    [[nodiscard]] std::optional<wire::SharedPlace> place_of(const Buffer& buffer) const;

    [[nodiscard]] std::uint64_t allocated_bytes() const;

    [[nodiscard]] std::uint64_t bytes_max() const { return config_.bytes_max; }

private:
    Arena(const Config& config, int fd, std::byte* memory, std::uint64_t length);

    void free(Extent extent) noexcept;
    [[nodiscard]] bool warm_up(const Extent& extent);
    /// Gives memory back until no more than `bytes_max` is kept. Under the lock.
    void cool_down(std::uint64_t bytes_max);

    Config config_;
    int fd_;
    std::byte* memory_;
    std::uint64_t length_;
    std::uint64_t nonce_ = 0;

    mutable std::mutex mutex_; ///< Guards what follows.
    Extents extents_;
};

} // namespace muster::arena
