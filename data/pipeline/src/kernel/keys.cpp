#include "kernel/keys.hpp"

#include <muster/base/random.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <type_traits>

namespace muster::data::kernel {
namespace {

constexpr std::uint64_t last = ~std::uint64_t{0};
constexpr std::uint64_t sign = std::uint64_t{1} << 63;

template <class T>
std::uint64_t pattern_of(T value, bool descending) {
    std::uint64_t pattern = 0;
    if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(value)) {
            return last;
        }
        const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(value) + 0.0); // no -0
        pattern = (bits & sign) != 0 ? ~bits : bits | sign;
    } else if constexpr (std::is_signed_v<T>) {
        pattern = static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) ^ sign;
    } else {
        pattern = static_cast<std::uint64_t>(value);
    }
    return descending ? ~pattern : pattern;
}

std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = text.size();
    for (const char character : text) {
        hash = mix64(hash ^ static_cast<unsigned char>(character));
    }
    return hash;
}

struct Entry {
    std::uint64_t pattern;
    std::uint32_t index;
};

constexpr unsigned digit_bits = 11;
constexpr std::size_t digits = (64 + digit_bits - 1) / digit_bits;
constexpr std::size_t buckets = std::size_t{1} << digit_bits;

} // namespace

Keys::Keys(const Block& block, const std::vector<SortKey>& keys, std::string_view what)
    : rows_(block.rows()) {
    for (const SortKey& key : keys) {
        if (block.fields().empty()) {
            columns_.push_back({{}, std::nullopt, key.descending});
            continue;
        }
        if (!block.has(key.column)) {
            throw Error(fmt::format("{}: no column \"{}\"; the columns are: {}",
                                    what,
                                    key.column,
                                    muster::data::describe(block.fields())),
                        ErrorCode::usage);
        }
        const std::size_t index = block.index_of(key.column);
        const Field& field = block.fields()[index];
        if (field.elements() != 1 || (field.type != ValueType::text && !is_real(field.type))) {
            throw Error(fmt::format("{}: column \"{}\" is no key: its rows are to be one number or "
                                    "text each; the columns are: {}",
                                    what,
                                    key.column,
                                    muster::data::describe(block.fields())),
                        ErrorCode::usage);
        }
        Column column;
        column.descending = key.descending;
        if (field.type == ValueType::text) {
            column.texts = block.texts_at(index);
        } else {
            column.patterns.resize(rows_);
            visit_real(field.type, [&]<class T>(std::type_identity<T>) {
                const auto values = block.column<T>(key.column);
                std::transform(values.begin(), values.end(), column.patterns.begin(), [&](T value) {
                    return pattern_of(value, key.descending);
                });
            });
        }
        columns_.push_back(std::move(column));
    }
}

std::uint64_t Keys::hash(std::uint64_t row) const {
    std::uint64_t hash = 0;
    for (const Column& column : columns_) {
        hash = mix64(hash ^ (column.texts ? hash_of((*column.texts)[row]) : column.patterns[row]));
    }
    return hash;
}

std::span<const std::uint64_t> Keys::only_patterns() const {
    if (columns_.size() == 1 && !columns_[0].texts) {
        return columns_[0].patterns;
    }
    return {};
}

void radix_sort(std::vector<std::uint64_t>& patterns, std::vector<std::uint32_t>& indices) {
    const std::size_t size = patterns.size();
    std::array<std::array<std::uint32_t, buckets>, digits> counts{};
    std::vector<Entry> from(size);
    std::vector<Entry> to(size);
    std::uint64_t before = 0;
    bool sorted = true;
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint64_t pattern = patterns[i];
        from[i] = {pattern, indices[i]};
        sorted = sorted && before <= pattern;
        before = pattern;
        for (std::size_t digit = 0; digit < digits; ++digit) {
            ++counts[digit][(pattern >> (digit * digit_bits)) % buckets];
        }
    }
    if (sorted) {
        return;
    }
    for (std::size_t digit = 0; digit < digits; ++digit) {
        auto& starts = counts[digit];
        const unsigned shift = static_cast<unsigned>(digit) * digit_bits;
        if (starts[(from[0].pattern >> shift) % buckets] == size) {
            continue; // the same in all
        }
        std::uint32_t start = 0;
        for (std::uint32_t& count : starts) {
            start += std::exchange(count, start);
        }
        for (const Entry& entry : from) {
            to[starts[(entry.pattern >> shift) % buckets]++] = entry;
        }
        from.swap(to);
    }
    for (std::size_t i = 0; i < size; ++i) {
        patterns[i] = from[i].pattern;
        indices[i] = from[i].index;
    }
}

std::vector<std::uint32_t> sorted_order(const Keys& keys) {
    std::vector<std::uint32_t> order(keys.rows());
    std::iota(order.begin(), order.end(), 0U);
    // The least important key first: each further sort keeps the order among its equals.
    for (auto column = keys.columns().rbegin(); column != keys.columns().rend(); ++column) {
        if (column->texts) {
            const Texts& texts = *column->texts;
            std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
                const int compared = texts[a].compare(texts[b]);
                return column->descending ? compared > 0 : compared < 0;
            });
        } else if (!column->patterns.empty()) {
            std::vector<std::uint64_t> patterns(order.size());
            for (std::size_t i = 0; i < order.size(); ++i) {
                patterns[i] = column->patterns[order[i]];
            }
            radix_sort(patterns, order);
        }
    }
    return order;
}

std::uint64_t lower_bound(const Block& sorted,
                          const std::vector<SortKey>& keys,
                          const Keys& bounds,
                          std::uint64_t bound) {
    std::uint64_t first = 0;
    std::uint64_t count = sorted.rows();
    while (count > 0) {
        const std::uint64_t half = count / 2;
        const Block row = sorted.slice(first + half, 1);
        if (Keys(row, keys, "sort").compare(0, bounds, bound) < 0) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first;
}

} // namespace muster::data::kernel
