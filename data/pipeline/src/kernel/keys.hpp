#pragma once

#include "kernel/scratch.hpp"

#include <muster/pipeline/block.hpp>
#include <muster/pipeline/options.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

/// Rows in order, and rows that are equal.
namespace muster::data::kernel {

/// The values of key columns of one block, in a form that compares quickly: numbers as 64-bit
/// patterns that are ordered as the numbers are (NaN the greatest, in descending order too, and
/// equal to itself; -0 equal to 0), text where it lies.
class Keys {
public:
    /// Refers to the block, which must outlive it.
    /// @param what  The operator, for errors.
    /// @throws Error (usage) if there is no such column, or it has no order.
    Keys(const Block& block, const std::vector<SortKey>& keys, std::string_view what);

    [[nodiscard]] std::uint64_t rows() const { return rows_; }

    /// Below, at or above 0 as row `a` comes before, with or behind row `b` of `other`.
    [[nodiscard]] int compare(std::uint64_t a, const Keys& other, std::uint64_t b) const {
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const Column& mine = columns_[i];
            const Column& its = other.columns_[i];
            if (!mine.texts) {
                if (mine.patterns[a] != its.patterns[b]) {
                    return mine.patterns[a] < its.patterns[b] ? -1 : 1;
                }
            } else if (const int order = (*mine.texts)[a].compare((*its.texts)[b]); order != 0) {
                return (order < 0) != mine.descending ? -1 : 1;
            }
        }
        return 0;
    }

    [[nodiscard]] std::uint64_t hash(std::uint64_t row) const;

    /// The patterns of the only key; empty if there are several, or it is text.
    [[nodiscard]] std::span<const std::uint64_t> only_patterns() const;

    struct Column {
        Scratch<std::uint64_t> patterns; ///< Of numbers.
        std::optional<Texts> texts;
        bool descending = false;
    };

    [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }

private:
    std::vector<Column> columns_;
    std::uint64_t rows_ = 0;
};

/// The rows in order; equal ones as they were.
[[nodiscard]] std::vector<std::uint32_t> sorted_order(const Keys& keys);

/// Sorts indices by their patterns, stably.
///
/// By least significant digits first, of 11 bits; digits that are the same in all patterns cost
/// nothing. Source: Knuth, "The Art of Computer Programming", vol. 3, section 5.2.5.
void radix_sort(std::vector<std::uint64_t>& patterns, std::vector<std::uint32_t>& indices);

/// The first row of a block sorted by `keys` that does not come before row `bound` of `bounds`.
/// Looks at some tens of rows.
[[nodiscard]] std::uint64_t lower_bound(const Block& sorted,
                                        const std::vector<SortKey>& keys,
                                        const Keys& bounds,
                                        std::uint64_t bound);

} // namespace muster::data::kernel
