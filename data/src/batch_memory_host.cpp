#include "batch_memory.hpp"

#include <new>

namespace muster::data::detail {
namespace {

constexpr std::align_val_t alignment{4096};

} // namespace

std::byte* allocate_batch_bytes(std::size_t bytes) {
    return static_cast<std::byte*>(::operator new(bytes == 0 ? 1 : bytes, alignment));
}

void free_batch_bytes(std::byte* bytes) noexcept {
    ::operator delete(bytes, alignment);
}

} // namespace muster::data::detail
