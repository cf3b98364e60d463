#include "allocations.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

// For exceptions' texts, and the first few elements of anything.
constexpr std::size_t slack_bytes = 16'384;

thread_local bool watching = false;
thread_local std::ptrdiff_t live_bytes = 0;
thread_local std::ptrdiff_t peak_bytes_seen = 0;

void* allocate_or_null(std::size_t size, std::size_t alignment) noexcept {
    void* const memory =
        alignment > alignof(std::max_align_t)
            ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
            : std::malloc(size == 0 ? 1 : size);
    if (watching && memory != nullptr) {
        live_bytes += static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
        peak_bytes_seen = std::max(peak_bytes_seen, live_bytes);
    }
    return memory;
}

void* allocate(std::size_t size, std::size_t alignment) {
    void* const memory = allocate_or_null(size, alignment);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

void deallocate(void* memory) noexcept {
    if (watching && memory != nullptr) {
        live_bytes -= static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
    }
    std::free(memory);
}

} // namespace

void* operator new(std::size_t size) {
    return allocate(size, 0);
}

void* operator new[](std::size_t size) {
    return allocate(size, 0);
}

void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}

void* operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}

// A sanitizer has these four of its own, which do not call the others.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return allocate_or_null(size, 0);
}

void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return allocate_or_null(size, 0);
}

void* operator new(std::size_t size,
                   std::align_val_t alignment,
                   const std::nothrow_t& /*tag*/) noexcept {
    return allocate_or_null(size, static_cast<std::size_t>(alignment));
}

void* operator new[](std::size_t size,
                     std::align_val_t alignment,
                     const std::nothrow_t& /*tag*/) noexcept {
    return allocate_or_null(size, static_cast<std::size_t>(alignment));
}

void operator delete(void* memory) noexcept {
    deallocate(memory);
}

void operator delete[](void* memory) noexcept {
    deallocate(memory);
}

void operator delete(void* memory, std::size_t /*size*/) noexcept {
    deallocate(memory);
}

void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    deallocate(memory);
}

void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
    deallocate(memory);
}

void operator delete[](void* memory, std::align_val_t /*alignment*/) noexcept {
    deallocate(memory);
}

void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
    deallocate(memory);
}

void operator delete[](void* memory,
                       std::size_t /*size*/,
                       std::align_val_t /*alignment*/) noexcept {
    deallocate(memory);
}

namespace muster::fuzz {

Allocations::Allocations() {
    live_bytes = 0;
    peak_bytes_seen = 0;
    watching = true;
}

Allocations::~Allocations() {
    watching = false;
}

std::size_t Allocations::peak_bytes() const {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(peak_bytes_seen, 0));
}

void Allocations::expect_at_most(std::size_t factor, std::size_t input_bytes) const {
    const std::size_t most = factor * input_bytes + slack_bytes;
    if (peak_bytes() > most) {
        std::fprintf(stderr,
                     "%zu bytes of input made it allocate %zu bytes; at most %zu times as many "
                     "and %zu are allowed\n",
                     input_bytes,
                     peak_bytes(),
                     factor,
                     slack_bytes);
        std::abort();
    }
}

} // namespace muster::fuzz
