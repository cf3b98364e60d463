#pragma once

#include <cstddef>
#include <memory>

namespace muster {

/// `size` bytes, not set to anything, for data that is written once and then shared.
///
/// From 1 KiB on they *end* at a multiple of 64: an encoded array is the end of its encoding, and
/// so is aligned as its elements must be, and can be read where it lies.
///
/// From 4 MiB on in huge pages where the system gives them (Linux: transparent_hugepage at
/// "madvise" or "always"): first writes cost half as much, and giving the memory back, which may
/// happen on a thread that others wait for, costs a twentieth.
///
/// @throws std::bad_alloc
std::shared_ptr<std::byte[]> allocate_bytes(std::size_t size);

} // namespace muster
