#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace muster::data {

/// A part to be made: how many rows it gets.
struct PartSize {
    std::string name;
    std::uint64_t rows = 0;
};

/// A part of a table: which rows belong to it, ascending.
struct Part {
    std::string name;
    std::vector<std::uint64_t> rows;
};

/// Splits the rows 0 .. labels.size() - 1 into parts of exactly the given sizes, each with nearly
/// the label mix of the whole: a part's share of a label is within `number of parts` rows of the
/// ideal (exact where the ideal shares are whole numbers and every part divides evenly).
///
/// Parts are disjoint and complete, in the order of `sizes`; the result depends on the arguments
/// only. Throws UsageError when the sizes do not add up to the number of labels.
///
/// Rows are ordered by label, in random order within a label, and each part in turn takes every
/// k-th of what is left: systematic sampling, Cochran, "Sampling Techniques", 1977, chapter 8.
[[nodiscard]] std::vector<Part> stratified_split(std::span<const std::int64_t> labels,
                                                 std::span<const PartSize> sizes,
                                                 std::uint64_t seed);

} // namespace muster::data
