#include "body.hpp"
#include "records.hpp"

#include <algorithm>
#include <sstream>

// Functions of rows and batches, and operators that take rows as they come.

namespace muster::test {
namespace {

using data::Block;
using data::NewBlock;
using data::NewRow;
using data::Row;
using data::Rows;

void double_x(const Row& in, NewRow& out, std::int32_t more) {
    out.set("id", in.get<std::int64_t>("id"));
    out.set("x", 2 * in.get<double>("x"));
    out.set("k", in.get<std::int32_t>("k") + more);
    out.set("s", in.get<std::string>("s") + "!");
}

bool is_small(const Row& row, std::int32_t limit) {
    return row.get<std::int32_t>("k") < limit;
}

void repeat(const Row& in, Rows& out) {
    for (std::int64_t i = 0; i < in.get<std::int64_t>("id") % 3; ++i) {
        out.add().keep(in);
    }
}

Block note_size(const Block& in) {
    Block out = in;
    out.add("size", std::vector<std::uint64_t>(in.rows(), in.rows()));
    return out;
}

/// Counts what it was given: an object with a state.
class Numbering {
public:
    Numbering(std::int32_t begin, const std::string& mark) : next_(begin), mark_(mark) {}

    Block operator()(const Block& in) {
        std::vector<std::string> marks;
        for (std::uint64_t row = 0; row < in.rows(); ++row) {
            marks.push_back(mark_ + std::to_string(next_));
        }
        ++next_;
        return Block(in).add("mark", marks);
    }

private:
    std::int32_t next_;
    std::string mark_;
};

} // namespace

MUSTER_BODY(MapFilterAndFlatMapDoAsALoopDoes) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        Records expected;
        for (const Record& record : records) {
            for (std::int64_t i = 0; i < record.id % 3; ++i) {
                if (record.k + 5 < 20) {
                    expected.push_back({record.id, 2 * record.x, record.k + 5, record.s + "!"});
                }
            }
        }
        EXPECT_EQ(records_of(rows.map<&double_x>(5).flat_map<&repeat>().filter<&is_small>(20)),
                  expected);
        EXPECT_EQ(records_of(rows.filter<[](const Row&) { return false; }>()), Records{});
    });
}

MUSTER_BODY(MapBatchesGetsBatchesOfTheSizeAskedFor) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        std::uint64_t seen = 0;
        for (const Block& block :
             rows.map_batches_with<&note_size>({.batch_size = 7}).iter_blocks()) {
            const auto sizes = block.column<std::uint64_t>("size");
            for (std::uint64_t row = 0; row < block.rows(); ++row) {
                EXPECT_EQ(sizes[row], std::min<std::uint64_t>(7, block.rows() - row / 7 * 7));
            }
            seen += block.rows();
        }
        EXPECT_EQ(seen, records.size());
    });
}

MUSTER_BODY(ObjectsOfAClassKeepTheirState) {
    for_random_inputs([](Random&, const Records& records, const data::Pipeline& rows) {
        const auto numbered =
            rows.map_batches<Numbering>({.batch_size = 10, .cpus = 0, .actors = 2}, 100, "batch ");
        EXPECT_EQ(records_of(numbered), records);
        for (const Block& block : numbered.iter_blocks()) {
            EXPECT_TRUE(block.texts("mark")[0].starts_with("batch 1"));
        }
    });
}

MUSTER_BODY(IterBatchesGivesBatchesOfOneSizeButForTheLast) {
    for_random_inputs([](Random& random, const Records& records, const data::Pipeline& rows) {
        const std::uint64_t size = 1 + random.below(90);
        Records all;
        for (const Block& batch : rows.iter_batches(size)) {
            const std::uint64_t left = records.size() - all.size();
            EXPECT_EQ(batch.rows(), std::min<std::uint64_t>(size, left));
            append_records(all, batch);
        }
        EXPECT_EQ(all, records);
    });
}

MUSTER_BODY(LimitUnionAndRepartitionKeepTheOrder) {
    for_random_inputs([](Random& random, const Records& records, const data::Pipeline& rows) {
        const auto count = static_cast<std::int64_t>(random.below(200));
        Records first(records.begin(),
                      records.begin() + std::min<std::ptrdiff_t>(count, std::ssize(records)));
        EXPECT_EQ(records_of(rows.limit(count)), first);
        const Block taken = rows.filter<[](const Row&) { return true; }>().take(count);
        EXPECT_EQ(taken.rows(), first.size());
        Records both = first;
        both.insert(both.end(), records.begin(), records.end());
        EXPECT_EQ(records_of(rows.limit(count).union_with(rows)), both);
        EXPECT_EQ(records_of(rows.repartition(count % 20 + 1)), records);
        EXPECT_EQ(rows.count(), records.size());
        EXPECT_EQ(rows.limit(count).count(), first.size());
        std::uint64_t blocks = 0;
        for (const auto& block : rows.repartition(5).futures()) {
            EXPECT_LE(block.get().rows(), records.size() / 5 + 1);
            ++blocks;
        }
        EXPECT_EQ(blocks, 5U);
    });
}

MUSTER_BODY(ZipPutsRowsSideBySide) {
    for_random_inputs([](Random& random, const Records& records, const data::Pipeline& rows) {
        const auto other =
            pipeline_of(random, records).select({"id", "s"}).rename("id", "id2").rename("s", "s2");
        std::uint64_t seen = 0;
        for (const Block& block : rows.zip(other).iter_blocks()) {
            EXPECT_TRUE(std::ranges::equal(block.column<std::int64_t>("id"),
                                           block.column<std::int64_t>("id2")));
            for (std::uint64_t row = 0; row < block.rows(); ++row) {
                EXPECT_EQ(block.texts("s")[row], block.texts("s2")[row]);
            }
            seen += block.rows();
        }
        EXPECT_EQ(seen, records.size());
    });
}

MUSTER_BODY(SampleTakesAboutTheFractionAndTheSameRowsAgain) {
    const auto numbers = data::range(20'000).with({.block_bytes = 8'000});
    const auto sampled = numbers.sample(0.25, 7);
    const std::uint64_t count = sampled.count();
    EXPECT_GT(count, 4'500U);
    EXPECT_LT(count, 5'500U);
    EXPECT_EQ(sampled.aggregate({data::sum("id")}).column<std::int64_t>("sum(id)")[0],
              sampled.aggregate({data::sum("id")}).column<std::int64_t>("sum(id)")[0]);
    EXPECT_EQ(numbers.sample(0, 1).count(), 0U);
    EXPECT_EQ(numbers.sample(1, 1).count(), 20'000U);
}

MUSTER_BODY(SplitsAreDisjointAndComplete) {
    for_random_inputs([](Random& random, const Records& records, const data::Pipeline& rows) {
        const auto [train, test] = rows.train_test_split(0.3);
        Records all = records_of(train);
        EXPECT_NEAR(
            static_cast<double>(all.size()), 0.7 * static_cast<double>(records.size()), 0.51);
        const Records rest = records_of(test);
        all.insert(all.end(), rest.begin(), rest.end());
        EXPECT_EQ(all, records);
        const auto parts = rows.split(static_cast<std::int64_t>(1 + random.below(6)));
        Records joined;
        for (const auto& part : parts) {
            const Records some = records_of(part);
            EXPECT_NEAR(static_cast<double>(some.size()),
                        static_cast<double>(records.size()) / static_cast<double>(parts.size()),
                        1);
            joined.insert(joined.end(), some.begin(), some.end());
        }
        EXPECT_EQ(joined, records);
    });
}

MUSTER_BODY(RangesAndTheirTensorsAreWhatTheySay) {
    const auto numbers = data::range(1000).with({.block_bytes = 700});
    std::int64_t next = 0;
    for (const Block& batch : numbers.iter_batches(64)) {
        for (const std::int64_t id : batch.column<std::int64_t>("id")) {
            EXPECT_EQ(id, next++);
        }
    }
    EXPECT_EQ(next, 1000);
    const Block tensor = data::range_tensor(5, {2, 3}).take(5);
    EXPECT_EQ(tensor.field("data").shape, (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(tensor.column<std::int64_t>("data")[29], 4);
    EXPECT_EQ(data::range(0).count(), 0U);
    EXPECT_EQ(data::range(0).take(5).fields().size(), 1U);
}

MUSTER_BODY(MaterializedRowsAreNotMadeAgain) {
    const auto kept =
        data::range(100).map_batches<[](const Block& in) { return in; }>().materialize();
    EXPECT_EQ(kept.count(), 100U);
    EXPECT_EQ(kept.iter_blocks().stats().tasks, 0U);
    const auto sums = task<[](const std::vector<Block>& blocks) {
        std::int64_t sum = 0;
        for (const Block& block : blocks) {
            for (const std::int64_t id : block.column<std::int64_t>("id")) {
                sum += id;
            }
        }
        return sum;
    }>(kept.futures());
    EXPECT_EQ(sums.get(), 4950);
    EXPECT_EQ(data::from_futures(kept.futures()).count(), 100U);
}

MUSTER_BODY(ShowPrintsATable) {
    Block block;
    block.add("name", std::vector<std::string>{"ann", "bartholomew"});
    block.add("x", std::vector<float>{1.5F, -20});
    block.add("image", std::vector<int>(16, 7), {8});
    std::ostringstream out;
    data::from_blocks({block}).show(out);
    EXPECT_EQ(out.str(),
              "name           x              image\n"
              "ann          1.5  [7 7 7 7 7 7 ...]\n"
              "bartholomew  -20  [7 7 7 7 7 7 ...]\n");
}

} // namespace muster::test
