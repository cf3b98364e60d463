#include "snapshot_memory.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

namespace muster::train {
namespace {

constexpr std::size_t page_bytes = std::size_t{2} << 20U;
constexpr std::size_t piece_bytes = std::size_t{8} << 20U;
constexpr std::size_t threads_max = 8;

/// CPUs that this thread may run on: a rank's share of its node.
std::size_t cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return ::sched_getaffinity(0, sizeof set, &set) == 0
               ? static_cast<std::size_t>(std::max(CPU_COUNT(&set), 1))
               : 1;
}

} // namespace

std::byte* allocate_snapshot(std::size_t size_bytes) {
    const std::size_t alignment = size_bytes < page_bytes ? 64 : page_bytes;
    const std::size_t size =
        std::max<std::size_t>(size_bytes + alignment - 1, 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, std::max(size, alignment));
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    ::madvise(memory, size, MADV_HUGEPAGE); // a wish: it is memory either way
    return static_cast<std::byte*>(memory);
}

void free_snapshot(std::byte* memory) noexcept {
    std::free(memory);
}

void copy_all(const std::vector<CopyJob>& jobs) {
    std::vector<CopyJob> pieces;
    for (const CopyJob& job : jobs) {
        for (std::size_t at = 0; at < job.from.size(); at += piece_bytes) {
            const auto piece = job.from.subspan(at, std::min(piece_bytes, job.from.size() - at));
            pieces.push_back({piece, job.to + at});
        }
    }
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < pieces.size(); i = next++) {
            std::memcpy(pieces[i].to, pieces[i].from.data(), pieces[i].from.size());
        }
    };
    const std::size_t helpers = std::min({pieces.size() / 4, cpus() - 1, threads_max - 1});
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < helpers; ++i) {
        threads.emplace_back(work);
    }
    work();
}

} // namespace muster::train
