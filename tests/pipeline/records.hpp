#pragma once

#include <muster/base/random.hpp>
#include <muster/pipeline/pipeline.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

/// Rows as structs: what operators are compared with does the same to a vector of these.
namespace muster::test {

struct Record {
    std::int64_t id = 0; ///< Its place in what it came from.
    double x = 0;
    std::int32_t k = 0;
    std::string s;

    friend bool operator==(const Record& a, const Record& b) {
        return a.id == b.id && (a.x == b.x || (std::isnan(a.x) && std::isnan(b.x))) && a.k == b.k &&
               a.s == b.s;
    }

    friend std::ostream& operator<<(std::ostream& out, const Record& record) {
        return out << '{' << record.id << ' ' << record.x << ' ' << record.k << ' ' << record.s
                   << '}';
    }
};

using Records = std::vector<Record>;

/// `k` and `s` take about `distinct` values; a fifth of `x` is NaN, a few are -0 and 0.
inline Records random_records(Random& random, std::uint64_t count, std::uint64_t distinct) {
    Records records;
    for (std::uint64_t i = 0; i < count; ++i) {
        Record record;
        record.id = static_cast<std::int64_t>(i);
        record.k = static_cast<std::int32_t>(random.below(distinct)) - 2;
        record.x = random.chance(0.2)   ? std::numeric_limits<double>::quiet_NaN()
                   : random.chance(0.2) ? (random.chance(0.5) ? 0.0 : -0.0)
                                        : std::floor(random.uniform(-4, 4));
        record.s = std::string(random.below(3), 'z') + std::to_string(random.below(distinct));
        records.push_back(std::move(record));
    }
    return records;
}

inline data::Block block_of(const Records& records) {
    std::vector<std::int64_t> ids;
    std::vector<double> xs;
    std::vector<std::int32_t> ks;
    std::vector<std::string> texts;
    for (const Record& record : records) {
        ids.push_back(record.id);
        xs.push_back(record.x);
        ks.push_back(record.k);
        texts.push_back(record.s);
    }
    data::Block block;
    block.add("id", ids).add("x", xs).add("k", ks).add("s", texts);
    return block;
}

/// In blocks of random sizes, some of them empty.
inline data::Pipeline
pipeline_of(Random& random, const Records& records, const data::ExecutionOptions& options = {}) {
    std::vector<data::Block> blocks;
    std::size_t first = 0;
    while (first < records.size() || random.chance(0.3)) {
        const std::size_t count = std::min<std::size_t>(random.below(40), records.size() - first);
        const auto begin = records.begin() + static_cast<std::ptrdiff_t>(first);
        blocks.push_back(block_of({begin, begin + static_cast<std::ptrdiff_t>(count)}));
        first += count;
    }
    return data::from_blocks(blocks).with(options);
}

inline void append_records(Records& records, const data::Block& block) {
    const auto ids = block.column<std::int64_t>("id");
    const auto xs = block.column<double>("x");
    const auto ks = block.column<std::int32_t>("k");
    const auto texts = block.texts("s");
    for (std::size_t i = 0; i < block.rows(); ++i) {
        records.push_back({ids[i], xs[i], ks[i], std::string(texts[i])});
    }
}

inline Records records_of(const data::Pipeline& pipeline) {
    Records records;
    for (const data::Block& block : pipeline.iter_blocks()) {
        append_records(records, block);
    }
    return records;
}

/// The order of numbers in which NaN is the greatest, and equal to itself.
inline int compare(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) {
        return static_cast<int>(std::isnan(a)) - static_cast<int>(std::isnan(b));
    }
    return a < b ? -1 : a > b ? 1 : 0;
}

/// Calls `body(random, records, pipeline)` for many random inputs, also empty ones and ones whose
/// keys are all equal; merges are cut into several parts in some.
template <class Body>
void for_random_inputs(Body&& body) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const std::uint64_t count = seed == 1 ? 0 : 1 + random.below(300);
        const std::uint64_t distinct = seed % 3 == 0 ? 1 : 1 + random.below(50);
        const Records records = random_records(random, count, distinct);
        const data::ExecutionOptions options{.block_bytes = seed % 2 == 0 ? 1500U : 8U << 20};
        body(random, records, pipeline_of(random, records, options));
    }
}

} // namespace muster::test
