#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace muster::runtime {

/// A rank's CPUs, some of which tasks have for themselves. Not synchronised.
class CpuPool {
public:
    /// @param ids  Neighbours next to one another.
    explicit CpuPool(std::vector<int> ids);

    /// `count` that are free, or none if there are fewer. `wanted`, if it is so many and may be
    /// had; else those of `near` before the others. CPUs in `near` or `wanted` may be others'.
    [[nodiscard]] std::vector<int>
    take(std::size_t count, std::span<const int> wanted, std::span<const int> near);

    void give_back(std::span<const int> ids);

    [[nodiscard]] std::size_t free_count() const;

private:
    [[nodiscard]] bool is_free(int id) const;
    void mark(std::span<const int> ids, bool free);

    std::vector<int> ids_;
    std::vector<bool> free_; ///< By place in ids_.
};

} // namespace muster::runtime
