#include "body.hpp"
#include "records.hpp"

#include <muster/data/shuffle.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

// Operators that need all rows before they give one.

namespace muster::test {
namespace {

using data::Block;
using data::descending;
using data::Row;

/// NaN as a key of its own.
using XKey = std::pair<bool, double>;

XKey x_key(double x) {
    return std::isnan(x) ? XKey(true, 0) : XKey(false, x + 0.0);
}

Block first_and_size(const Block& group, std::int64_t offset) {
    Block out = group.slice(0, 1);
    out.add("size", std::vector<std::int64_t>{static_cast<std::int64_t>(group.rows()) + offset});
    return out;
}

double number_or(double value, double otherwise) {
    return std::isnan(value) ? otherwise : value;
}

} // namespace

MUSTER_BODY(SortIsStableAndHasNaNLast) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        Records by_x = records;
        std::ranges::stable_sort(
            by_x, [](const Record& a, const Record& b) { return compare(a.x, b.x) < 0; });
        EXPECT_EQ(records_of(rows.sort({"x"})), by_x);
        Records by_x_down = records;
        std::ranges::stable_sort(by_x_down, [](const Record& a, const Record& b) {
            if (std::isnan(a.x) || std::isnan(b.x)) {
                return compare(a.x, b.x) < 0;
            }
            return a.x > b.x;
        });
        EXPECT_EQ(records_of(rows.sort({descending("x")})), by_x_down);
        Records by_three = records;
        std::ranges::stable_sort(by_three, [](const Record& a, const Record& b) {
            if (a.s != b.s) {
                return a.s > b.s;
            }
            return a.k != b.k ? a.k < b.k : compare(a.x, b.x) < 0;
        });
        EXPECT_EQ(records_of(rows.sort({descending("s"), "k", "x"})), by_three);
    });
}

MUSTER_BODY(ShufflePutsEachRowWhereItsNumberSays) {
    for_random_inputs([](Random& random, const Records& records, const data::Pipeline& rows) {
        Records expected;
        const data::Permutation order(records.size(), 5, 0);
        for (std::uint64_t i = 0; i < records.size(); ++i) {
            expected.push_back(records[order(i)]);
        }
        EXPECT_EQ(records_of(rows.random_shuffle(5)), expected);
        // Other blocks, and so little memory that rows are put in order block by block first.
        const auto again =
            pipeline_of(random, records, {.memory_bytes = 3'000, .block_bytes = 2'000});
        EXPECT_EQ(records_of(again.random_shuffle(5)), expected);
    });
}

MUSTER_BODY(GroupsHaveTheAggregatesThatALoopComputes) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        std::map<std::tuple<std::int32_t, std::string>, Records> groups;
        for (const Record& record : records) {
            groups[{record.k, record.s}].push_back(record);
        }
        const auto made = rows.group_by({"k", "s"})
                              .aggregate({data::count(),
                                          data::sum("id"),
                                          data::mean("id"),
                                          data::std_dev("id", "spread"),
                                          data::min("x"),
                                          data::max("x"),
                                          data::sum("x")});
        auto group = groups.begin();
        for (const Block& block : made.iter_blocks()) {
            for (std::uint64_t i = 0; i < block.rows(); ++i, ++group) {
                ASSERT_NE(group, groups.end());
                const Row row(block, i);
                const Records& members = group->second;
                const auto size = static_cast<double>(members.size());
                EXPECT_EQ(row.get<std::int32_t>("k"), std::get<0>(group->first));
                EXPECT_EQ(row.get<std::string>("s"), std::get<1>(group->first));
                EXPECT_EQ(row.get<std::uint64_t>("count"), members.size());
                std::int64_t sum = 0;
                double least = std::numeric_limits<double>::quiet_NaN();
                double most = least;
                double total = 0;
                for (const Record& member : members) {
                    sum += member.id;
                    total += member.x;
                    least = number_or(
                        std::min(number_or(member.x, least), number_or(least, member.x)), least);
                    most = number_or(std::max(number_or(member.x, most), number_or(most, member.x)),
                                     most);
                }
                EXPECT_EQ(row.get<std::int64_t>("sum(id)"), sum);
                const double mean = static_cast<double>(sum) / size;
                EXPECT_DOUBLE_EQ(row.get<double>("mean(id)"), mean);
                double squares = 0;
                for (const Record& member : members) {
                    squares += (static_cast<double>(member.id) - mean) *
                               (static_cast<double>(member.id) - mean);
                }
                if (members.size() > 1) {
                    EXPECT_NEAR(row.get<double>("spread"), std::sqrt(squares / (size - 1)), 1e-9);
                } else {
                    EXPECT_TRUE(std::isnan(row.get<double>("spread")));
                }
                EXPECT_EQ(compare(row.get<double>("min(x)"), least), 0);
                EXPECT_EQ(compare(row.get<double>("max(x)"), most), 0);
                EXPECT_EQ(compare(row.get<double>("sum(x)"), total), 0);
            }
        }
        EXPECT_EQ(group, groups.end());
    });
}

MUSTER_BODY(MapGroupsGetsWholeGroupsInOrder) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        std::map<XKey, Records> groups;
        for (const Record& record : records) {
            groups[x_key(record.x)].push_back(record);
        }
        auto group = groups.begin();
        for (const Block& block :
             rows.group_by("x").map_groups<&first_and_size>(1000).iter_blocks()) {
            Records firsts;
            append_records(firsts, block);
            for (std::uint64_t i = 0; i < block.rows(); ++i, ++group) {
                ASSERT_NE(group, groups.end());
                EXPECT_EQ(firsts[i], group->second.front());
                EXPECT_EQ(block.column<std::int64_t>("size")[i], std::ssize(group->second) + 1000);
            }
        }
        EXPECT_EQ(group, groups.end());
    });
}

MUSTER_BODY(UniqueKeepsTheFirstRowOfEachKey) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        std::map<std::tuple<XKey, std::int32_t>, Record> firsts;
        for (const Record& record : records) {
            firsts.emplace(std::tuple(x_key(record.x), record.k), record);
        }
        Records expected;
        for (const auto& [key, record] : firsts) {
            expected.push_back(record);
        }
        EXPECT_EQ(records_of(rows.unique({"x", "k"})), expected);
    });
}

MUSTER_BODY(JoinsFindEveryPair) {
    for_random_inputs([](Random& random, const Records& records, const data::Pipeline& rows) {
        const Records others = random_records(random, random.below(60), 12);
        const auto right = pipeline_of(random, others).select({"k", "id"}).rename("id", "other");
        for (const auto kind : {data::JoinKind::inner,
                                data::JoinKind::left,
                                data::JoinKind::right,
                                data::JoinKind::full}) {
            // Key, left row or -1, right row or -1.
            std::multiset<std::tuple<std::int32_t, std::int64_t, std::int64_t>> expected;
            std::set<std::int64_t> matched;
            for (const Record& record : records) {
                bool found = false;
                for (const Record& other : others) {
                    if (record.k == other.k) {
                        expected.emplace(record.k, record.id, other.id);
                        matched.insert(other.id);
                        found = true;
                    }
                }
                if (!found && (kind == data::JoinKind::left || kind == data::JoinKind::full)) {
                    expected.emplace(record.k, record.id, -1);
                }
            }
            for (const Record& other : others) {
                if (matched.count(other.id) == 0 &&
                    (kind == data::JoinKind::right || kind == data::JoinKind::full)) {
                    expected.emplace(other.k, -1, other.id);
                }
            }
            std::multiset<std::tuple<std::int32_t, std::int64_t, std::int64_t>> joined;
            std::int32_t before = std::numeric_limits<std::int32_t>::min();
            const auto result = rows.join(right, {"k"}, {.kind = kind, .source = "from"});
            for (const Block& block : result.iter_blocks()) {
                for (std::uint64_t i = 0; i < block.rows(); ++i) {
                    const Row row(block, i);
                    const auto from = row.get<std::uint8_t>("from");
                    const auto k = row.get<std::int32_t>("k");
                    EXPECT_GE(k, before);
                    before = k;
                    joined.emplace(k,
                                   (from & 1) != 0 ? row.get<std::int64_t>("id") : -1,
                                   (from & 2) != 0 ? row.get<std::int64_t>("other") : -1);
                    if ((from & 1) == 0 && block.has("x")) {
                        EXPECT_TRUE(std::isnan(row.get<double>("x")));
                        EXPECT_EQ(row.get<std::string>("s"), "");
                    }
                }
            }
            // A side of no rows may lack its columns: what was found is in the other then.
            if (!records.empty() && !others.empty()) {
                EXPECT_EQ(joined, expected);
            } else {
                EXPECT_EQ(joined.size(), expected.size());
            }
        }
    });
}

MUSTER_BODY(AggregatesOfAllRowsAndOfNone) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        const Block all = rows.aggregate({data::count(), data::sum("k"), data::mean("id")});
        std::int64_t sum = 0;
        double ids = 0;
        for (const Record& record : records) {
            sum += record.k;
            ids += static_cast<double>(record.id);
        }
        EXPECT_EQ(all.rows(), 1U);
        EXPECT_EQ(all.column<std::uint64_t>("count")[0], records.size());
        if (records.empty()) {
            EXPECT_TRUE(std::isnan(all.column<double>("mean(id)")[0]));
        } else {
            EXPECT_EQ(all.column<std::int64_t>("sum(k)")[0], sum);
            EXPECT_DOUBLE_EQ(all.column<double>("mean(id)")[0],
                             ids / static_cast<double>(records.size()));
        }
    });
    EXPECT_TRUE(
        contains(thrown_by<TaskError>([] { (void)data::range(0).aggregate({data::min("id")}); }),
                 "min of column \"id\" (int64): there are no rows"));
}

MUSTER_BODY(ResultsDependNeitherOnBlocksNorOnMemory) {
    const auto numbers = [](const data::ExecutionOptions& options) {
        std::vector<std::int64_t> ids;
        for (const Block& block : data::range(5000)
                                      .with(options)
                                      .random_shuffle(3)
                                      .sort({"id"})
                                      .random_shuffle(4)
                                      .iter_blocks()) {
            const auto some = block.column<std::int64_t>("id");
            ids.insert(ids.end(), some.begin(), some.end());
        }
        return ids;
    };
    const auto expected = numbers({});
    EXPECT_EQ(expected[0], static_cast<std::int64_t>(data::Permutation(5000, 4, 0)(0)));
    EXPECT_EQ(numbers({.memory_bytes = 20'000, .block_bytes = 1'000}), expected);
    EXPECT_EQ(numbers({.memory_bytes = 200'000, .block_bytes = 3'000}), expected);
}

MUSTER_BODY(MoreThanMemoryHoldsIsSortedAndShuffled) {
    // 16 MB in blocks that are large values: with little MUSTER_OBJECT_MEMORY they go to the disk.
    constexpr std::int64_t rows = 2'000'000;
    const auto shuffled = data::range(rows)
                              .with({.memory_bytes = 2U << 20, .block_bytes = 1U << 20})
                              .random_shuffle(9);
    std::int64_t next = 0;
    std::int64_t wrong = 0;
    auto sorted = shuffled.sort({descending("id")}).iter_batches(100'000);
    while (const auto batch = sorted.next()) {
        for (const std::int64_t id : batch->column<std::int64_t>("id")) {
            wrong += id == rows - 1 - next++ ? 0 : 1;
        }
    }
    EXPECT_EQ(next, rows);
    EXPECT_EQ(wrong, 0);
}

} // namespace muster::test
