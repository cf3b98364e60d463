#include "device_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <new>

namespace stand_in {
namespace {

struct Block {
    std::size_t bytes = 0;
    std::byte* reachable = nullptr;
};

std::mutex mutex;
std::map<const std::byte*, Block> blocks; ///< By device address. Guarded by mutex.

} // namespace

void* allocate(std::size_t bytes) {
    const std::size_t size = (std::max<std::size_t>(bytes, 1) + 4095) / 4096 * 4096;
    void* const device = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void* const host =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (device == MAP_FAILED || host == MAP_FAILED) {
        throw std::bad_alloc();
    }
    const std::lock_guard lock(mutex);
    blocks[static_cast<std::byte*>(device)] = {size, static_cast<std::byte*>(host)};
    return device;
}

void release(void* device) {
    const std::lock_guard lock(mutex);
    const auto block = blocks.find(static_cast<std::byte*>(device));
    if (block != blocks.end()) {
        munmap(device, block->second.bytes);
        munmap(block->second.reachable, block->second.bytes);
        blocks.erase(block);
    }
}

std::byte* reach(const void* address) {
    const auto* const at = static_cast<const std::byte*>(address);
    const std::lock_guard lock(mutex);
    auto block = blocks.upper_bound(at);
    if (block != blocks.begin()) {
        --block;
        const std::ptrdiff_t offset = at - block->first;
        if (offset < static_cast<std::ptrdiff_t>(block->second.bytes)) {
            return block->second.reachable + offset;
        }
    }
    return const_cast<std::byte*>(at);
}

} // namespace stand_in
