#pragma once

#include <cstddef>

namespace stand_in {

/// "Device" memory: an address that faults when the host uses it, and another, for streams, that
/// does not.
void* allocate(std::size_t bytes);
void release(void* device);

/// Where a stream finds what is at a device address, or at the host's own.
std::byte* reach(const void* address);

} // namespace stand_in
