#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace muster::arena {

/// A range of an arena, in bytes.
struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool warm = false; ///< It has memory, from its last use.

    friend bool operator==(const Extent&, const Extent&) = default;
};

/// The free ranges of an arena. Best fit: the smallest free range that is large enough, warm ones
/// first, because memory that is there already need not be asked for and cleared.
///
/// Pure. Not thread-safe.
///
/// Invariants: free ranges do not overlap, and neighbours differ in warmth.
class Extents {
public:
    /// All of [begin, end) is free, and cold.
    Extents(std::uint64_t begin, std::uint64_t end);

    /// A range of so many bytes; not free any more. Nothing if no free range is as large.
    [[nodiscard]] std::optional<Extent> take(std::uint64_t size);

    /// The range is free again, and is warm or not. It must have been taken.
    void give_back(Extent extent);

    /// The largest free range that is warm: taken out, to be given back cold.
    [[nodiscard]] std::optional<Extent> take_warm();

    [[nodiscard]] std::uint64_t free_bytes() const { return free_bytes_; }

    [[nodiscard]] std::uint64_t warm_bytes() const { return warm_bytes_; }

    /// Throws Error if an invariant is broken.
    void check_invariants() const;

private:
    struct Free {
        std::uint64_t size = 0;
        bool warm = false;
    };

    using Place = std::map<std::uint64_t, Free>::iterator;

    [[nodiscard]] std::set<std::pair<std::uint64_t, std::uint64_t>>& by_size(bool warm) {
        return warm ? warm_by_size_ : cold_by_size_;
    }

    void insert(const Extent& extent);
    Extent remove(Place place);

    std::map<std::uint64_t, Free> free_;                             ///< By offset.
    std::set<std::pair<std::uint64_t, std::uint64_t>> warm_by_size_; ///< Size and offset.
    std::set<std::pair<std::uint64_t, std::uint64_t>> cold_by_size_;
    std::uint64_t free_bytes_ = 0;
    std::uint64_t warm_bytes_ = 0;
};

} // namespace muster::arena
