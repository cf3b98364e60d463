// Pinned memory where there is a GPU, so that a copy to it runs beside the host at full speed.

#include "batch_memory.hpp"

#include <cuda_runtime_api.h>

#include <mutex>
#include <new>
#include <unordered_set>

namespace muster::data::detail {
namespace {

constexpr std::align_val_t alignment{4096};

bool has_gpu() {
    static const bool has = [] {
        int devices = 0;
        return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
    }();
    return has;
}

struct Pinned {
    std::mutex mutex; ///< Guards the set.
    std::unordered_set<std::byte*> memory;
};

/// Never destroyed: batches may outlive main().
Pinned& pinned() {
    static auto* const all = new Pinned;
    return *all;
}

} // namespace

std::byte* allocate_batch_bytes(std::size_t bytes) {
    bytes = bytes == 0 ? 1 : bytes;
    void* memory = nullptr;
    if (has_gpu() && cudaHostAlloc(&memory, bytes, cudaHostAllocPortable) == cudaSuccess) {
        auto* const result = static_cast<std::byte*>(memory);
        const std::lock_guard lock(pinned().mutex);
        pinned().memory.insert(result);
        return result;
    }
    return static_cast<std::byte*>(::operator new(bytes, alignment));
}

void free_batch_bytes(std::byte* bytes) noexcept {
    {
        const std::lock_guard lock(pinned().mutex);
        if (pinned().memory.erase(bytes) > 0) {
            cudaFreeHost(bytes);
            return;
        }
    }
    ::operator delete(bytes, alignment);
}

} // namespace muster::data::detail
