#pragma once

#include "arena/arena.hpp"

#include <muster/base/clock.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace muster::arena {

/// What one rank's large values may take: so much shared memory and, when that is full, so much of
/// a disk.
///
/// What lies on the disk is mapped like the rest, and read where it lies: the system writes its
/// pages out when memory is short, those used least recently first, and reads them again when they
/// are touched. So a value never moves. The file on the disk is made when it is first needed.
///
/// Thread-safe.
class ValueMemory {
public:
    struct Config {
        std::uint64_t memory_bytes_max = 0; ///< 0: nothing is allocated here.
        /// Of the disk; none: half of what is free there when it is first needed, shared among so
        /// many ranks. 0: none of it.
        std::optional<std::uint64_t> disk_bytes_max{};
        std::uint64_t ranks_of_node = 1;
        std::string directory{}; ///< On the disk; empty: there is none.
    };

    struct Usage {
        std::uint64_t memory_bytes = 0;
        std::uint64_t memory_bytes_max = 0;
        std::uint64_t disk_bytes = 0;
        std::uint64_t disk_bytes_max = 0; ///< 0 as well while it was not needed.
    };

    /// What cannot be had is logged, and done without.
    explicit ValueMemory(Config config);

    /// Large values go here; else they are the process's private memory.
    [[nodiscard]] bool enabled() const { return memory_ != nullptr; }

    /// As Arena::allocate.
    [[nodiscard]] std::shared_ptr<std::byte[]> allocate(std::size_t size);

    /// As Arena::place_of.
    [[nodiscard]] std::optional<wire::SharedPlace> place_of(const Buffer& buffer) const;

    /// So much would fit if nothing else were here.
    [[nodiscard]] bool could_fit(std::size_t size) const;

    [[nodiscard]] Usage usage() const;

    /// How many ranges have become free.
    [[nodiscard]] std::uint64_t frees() const;

    /// Waits until frees() is more than `seen`. @return false if it was not until then.
    [[nodiscard]] bool wait_for_free(std::uint64_t seen, TimePoint until) const;

private:
    /// Outlives this: memory may be freed later.
    struct Frees {
        mutable std::mutex mutex;
        mutable std::condition_variable changed;
        std::uint64_t count = 0;
    };

    /// Null if there is no disk.
    [[nodiscard]] Arena* disk();
    [[nodiscard]] std::shared_ptr<Arena> open_disk() const;

    Config config_;
    std::shared_ptr<Frees> frees_ = std::make_shared<Frees>();
    std::shared_ptr<Arena> memory_;
    mutable std::mutex mutex_; ///< Guards what follows.
    bool disk_asked_ = false;
    std::shared_ptr<Arena> disk_;
};

/// The first of these that is a directory on a disk; empty if none is: a file system in memory is
/// no help against want of it.
[[nodiscard]] std::string find_disk(std::initializer_list<std::string_view> candidates);

} // namespace muster::arena
