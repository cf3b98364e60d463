#include "arena/value_memory.hpp"

#include <muster/base/log.hpp>

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace muster::arena {
namespace {

std::uint64_t free_bytes(const std::string& directory) {
    struct statvfs status {};

    if (statvfs(directory.c_str(), &status) != 0) {
        return 0;
    }
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

bool is_disk(const std::string& directory) {
    struct statfs status {};

    return statfs(directory.c_str(), &status) == 0 && status.f_type != TMPFS_MAGIC &&
           status.f_type != RAMFS_MAGIC && ::access(directory.c_str(), W_OK | X_OK) == 0;
}

} // namespace

std::string find_disk(std::initializer_list<std::string_view> candidates) {
    for (const std::string_view candidate : candidates) {
        const std::string directory(candidate);
        if (!directory.empty() && is_disk(directory)) {
            return directory;
        }
    }
    return {};
}

ValueMemory::ValueMemory(Config config) : config_(std::move(config)) {
    if (config_.memory_bytes_max == 0) {
        return;
    }
    memory_ = Arena::make({.bytes_max = config_.memory_bytes_max, .freed = [frees = frees_] {
                               {
                                   const std::lock_guard lock(frees->mutex);
                                   ++frees->count;
                               }
                               frees->changed.notify_all();
                           }});
    if (memory_ == nullptr) {
        log::warn("values",
                  "no_shared_memory bytes={} why=\"{}\" instead=private",
                  config_.memory_bytes_max,
                  std::strerror(errno));
    }
}

std::shared_ptr<std::byte[]> ValueMemory::allocate(std::size_t size) {
    if (memory_ == nullptr) {
        return nullptr;
    }
    if (auto memory = memory_->allocate(size)) {
        return memory;
    }
    Arena* const below = disk();
    return below == nullptr ? nullptr : below->allocate(size);
}

std::optional<wire::SharedPlace> ValueMemory::place_of(const Buffer& buffer) const {
    if (memory_ == nullptr) {
        return std::nullopt;
    }
    if (const auto place = memory_->place_of(buffer)) {
        return place;
    }
    const std::lock_guard lock(mutex_);
    return disk_ == nullptr ? std::nullopt : disk_->place_of(buffer);
}

bool ValueMemory::could_fit(std::size_t size) const {
    const Usage most = usage();
    return size <= most.memory_bytes_max || size <= most.disk_bytes_max;
}

ValueMemory::Usage ValueMemory::usage() const {
    Usage usage;
    if (memory_ != nullptr) {
        usage.memory_bytes = memory_->allocated_bytes();
        usage.memory_bytes_max = memory_->bytes_max();
    }
    const std::lock_guard lock(mutex_);
    if (disk_ != nullptr) {
        usage.disk_bytes = disk_->allocated_bytes();
        usage.disk_bytes_max = disk_->bytes_max();
    }
    return usage;
}

std::uint64_t ValueMemory::frees() const {
    const std::lock_guard lock(frees_->mutex);
    return frees_->count;
}

bool ValueMemory::wait_for_free(std::uint64_t seen, TimePoint until) const {
    std::unique_lock lock(frees_->mutex);
    return frees_->changed.wait_until(lock, until, [&] { return frees_->count > seen; });
}

Arena* ValueMemory::disk() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(disk_asked_, true)) {
        disk_ = open_disk();
    }
    return disk_.get();
}

std::shared_ptr<Arena> ValueMemory::open_disk() const {
    if (config_.directory.empty() || config_.disk_bytes_max == 0U) {
        return nullptr;
    }
    const std::uint64_t bytes_max =
        config_.disk_bytes_max.value_or(free_bytes(config_.directory) / 2 / config_.ranks_of_node);
    auto arena = Arena::make({.bytes_max = bytes_max,
                              .warm_bytes_max = 0, // dirty pages nobody needs are not to be written
                              .directory = config_.directory,
                              .freed = [frees = frees_] {
                                  {
                                      const std::lock_guard lock(frees->mutex);
                                      ++frees->count;
                                  }
                                  frees->changed.notify_all();
                              }});
    if (arena == nullptr) {
        log::warn("values",
                  "no_spilling directory={} bytes={} why=\"{}\"",
                  config_.directory,
                  bytes_max,
                  std::strerror(errno));
    } else {
        log::info("values",
                  "spilling directory={} bytes={} memory_full={}",
                  config_.directory,
                  bytes_max,
                  config_.memory_bytes_max);
    }
    return arena;
}

} // namespace muster::arena
