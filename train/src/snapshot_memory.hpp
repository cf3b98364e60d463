#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace muster::train {

/// One copy to be made.
struct CopyJob {
    std::span<const std::byte> from;
    std::byte* to = nullptr;
};

/// Memory for a copy of something large: in huge pages where the system has them, since most of the
/// time of a first copy goes into asking for pages. Not initialised.
[[nodiscard]] std::byte* allocate_snapshot(std::size_t size_bytes);
void free_snapshot(std::byte* memory) noexcept;

/// Copies all, by some threads if it is much: one does not get at all of a machine's bandwidth.
void copy_all(const std::vector<CopyJob>& jobs);

} // namespace muster::train
