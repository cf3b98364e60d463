#pragma once

#include <cstddef>
#include <memory>

namespace muster {

/// `size` bytes, not set to anything, for data that is written once and then shared.
///
/// From 4 MiB on in huge pages where the system gives them (Linux: transparent_hugepage at
/// "madvise" or "always"): first writes cost half as much, and giving the memory back, which may
/// happen on a thread that others wait for, costs a twentieth.
///
/// @throws std::bad_alloc
std::shared_ptr<std::byte[]> allocate_bytes(std::size_t size);

} // namespace muster
