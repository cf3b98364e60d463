#include <muster/base/memory.hpp>

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace muster {
namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
constexpr std::size_t large_bytes_min = 2 * huge_page_bytes;

} // namespace

std::shared_ptr<std::byte[]> allocate_bytes(std::size_t size) {
    if (size < large_bytes_min) {
        return std::make_shared_for_overwrite<std::byte[]>(size);
    }
    void* memory = nullptr;
    if (::posix_memalign(&memory, huge_page_bytes, size) != 0) {
        throw std::bad_alloc();
    }
    // Whole huge pages only, so that the end takes no more memory than it needs. A system without
    // them refuses, and nothing is lost.
    (void)::madvise(memory, size - size % huge_page_bytes, MADV_HUGEPAGE);
    return {static_cast<std::byte*>(memory), [](std::byte* bytes) { std::free(bytes); }};
}

} // namespace muster
