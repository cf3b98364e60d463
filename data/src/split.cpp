#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/data/split.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace muster::data {
namespace {

/// All rows ordered by label, shuffled within a label.
std::vector<std::uint64_t> rows_by_label(std::span<const std::int64_t> labels, std::uint64_t seed) {
    std::vector<std::uint64_t> rows(labels.size());
    std::iota(rows.begin(), rows.end(), std::uint64_t{0});
    Random(seed).shuffle(std::span(rows));
    std::stable_sort(rows.begin(), rows.end(), [&](std::uint64_t a, std::uint64_t b) {
        return labels[a] < labels[b];
    });
    return rows;
}

/// Moves `count` evenly spaced elements of `rows` out of it; the order of both stays.
std::vector<std::uint64_t> take_evenly(std::vector<std::uint64_t>& rows, std::uint64_t count) {
    std::vector<std::uint64_t> taken;
    std::vector<std::uint64_t> left;
    taken.reserve(count);
    left.reserve(rows.size() - count);
    std::uint64_t due = 0; // in 1 / rows.size() of a row
    for (const std::uint64_t row : rows) {
        due += count;
        if (due >= rows.size()) {
            due -= rows.size();
            taken.push_back(row);
        } else {
            left.push_back(row);
        }
    }
    rows = std::move(left);
    return taken;
}

} // namespace

std::vector<Part> stratified_split(std::span<const std::int64_t> labels,
                                   std::span<const PartSize> sizes,
                                   std::uint64_t seed) {
    std::uint64_t total = 0;
    for (const PartSize& size : sizes) {
        if (size.rows > labels.size() - total) {
            throw UsageError(fmt::format(
                "cannot split {} rows: the parts up to '{}' already ask for more than there are; "
                "make the sizes add up to {}",
                labels.size(),
                size.name,
                labels.size()));
        }
        total += size.rows;
    }
    if (total != labels.size()) {
        throw UsageError(fmt::format("cannot split {} rows: the parts ask for {}; make the sizes "
                                     "add up, or add a part for the rest",
                                     labels.size(),
                                     total));
    }
    std::vector<std::uint64_t> left = rows_by_label(labels, seed);
    std::vector<Part> parts;
    for (const PartSize& size : sizes) {
        parts.push_back({size.name, take_evenly(left, size.rows)});
        std::sort(parts.back().rows.begin(), parts.back().rows.end());
    }
    return parts;
}

} // namespace muster::data
