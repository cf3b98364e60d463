#include <muster/base/memory.hpp>

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace muster {
namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
constexpr std::size_t large_bytes_min = 2 * huge_page_bytes;
constexpr std::size_t aligned_bytes_min = 1024;
constexpr std::size_t line_bytes = 64;

// From an address of such a multiple on: how far in `size` bytes begin that end at one.
constexpr std::size_t lead_of(std::size_t size) {
    return (line_bytes - size % line_bytes) % line_bytes;
}

} // namespace

std::shared_ptr<std::byte[]> allocate_bytes(std::size_t size) {
    if (size < aligned_bytes_min) {
        return std::make_shared_for_overwrite<std::byte[]>(size);
    }
    if (size < large_bytes_min) {
        const auto memory = std::make_shared_for_overwrite<std::byte[]>(size + 2 * line_bytes);
        const auto address = reinterpret_cast<std::uintptr_t>(memory.get());
        const std::size_t to_line = (line_bytes - address % line_bytes) % line_bytes;
        return {memory, memory.get() + to_line + lead_of(size)};
    }
    const std::size_t whole = size + lead_of(size);
    void* memory = nullptr;
    if (::posix_memalign(&memory, huge_page_bytes, whole) != 0) {
        throw std::bad_alloc();
    }
    // Whole huge pages only, so that the end takes no more memory than it needs. A system without
    // them refuses, and nothing is lost.
    (void)::madvise(memory, whole - whole % huge_page_bytes, MADV_HUGEPAGE);
    return {static_cast<std::byte*>(memory) + lead_of(size),
            [memory](std::byte* /*first*/) { std::free(memory); }};
}

} // namespace muster
