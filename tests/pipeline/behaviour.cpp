#include "body.hpp"
#include "directory.hpp"
#include "records.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

// How pipelines run: how much is under way, what errors say, what they leave behind.

namespace muster::test {
namespace {

using data::Block;
using data::Row;

Block refuse_the_number(const Block& in, std::int64_t unwanted) {
    for (const std::int64_t id : in.column<std::int64_t>("id")) {
        if (id == unwanted) {
            throw std::invalid_argument("number " + std::to_string(id) + " is unwanted");
        }
    }
    return in;
}

Block same(const Block& in) {
    return in;
}

template <class Call>
std::string usage_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_TRUE(error.code() == ErrorCode::usage || error.code() == ErrorCode::task_failed)
            << error.what();
        return error.what();
    }
    ADD_FAILURE() << "no exception";
    return {};
}

/// All of a pipeline, for what it throws.
std::string failure_of(const data::Pipeline& pipeline) {
    return usage_of([&] {
        for (const Block& block : pipeline.iter_blocks()) {
            (void)block;
        }
    });
}

} // namespace

MUSTER_BODY(AThrowingFunctionIsNamed) {
    const auto numbers = data::range(1000).with({.block_bytes = 800});
    for (const auto& pipeline :
         {numbers.map_batches<&refuse_the_number>(950),
          numbers.map_batches<&refuse_the_number>(950).sort({"id"}),
          numbers.map_batches<&refuse_the_number>(10).random_shuffle(1).limit(5)}) {
        const std::string text = failure_of(pipeline);
        EXPECT_TRUE(contains(text, "is unwanted")) << text;
        EXPECT_TRUE(contains(text, "refuse_the_number")) << text;
    }
    EXPECT_EQ(numbers.count(), 1000U); // and what follows is not disturbed
}

MUSTER_BODY(WhatCameBeforeAThrowIsGiven) {
    std::uint64_t rows = 0;
    EXPECT_THROW(
        {
            for (const Block& block : data::range(1000)
                                          .with({.block_bytes = 800})
                                          .map_batches<&refuse_the_number>(950)
                                          .iter_blocks()) {
                rows += block.rows();
            }
        },
        TaskError);
    EXPECT_EQ(rows, 900U);
}

MUSTER_BODY(LimitStopsWhatIsBeforeIt) {
    // 1000 blocks; as many as are under way may have begun.
    auto run = data::range(100'000)
                   .with({.block_bytes = 800})
                   .map_batches<&same>()
                   .limit(250)
                   .iter_blocks();
    std::uint64_t rows = 0;
    while (const auto block = run.next()) {
        rows += block->rows();
    }
    EXPECT_EQ(rows, 250U);
    EXPECT_LE(run.stats().tasks,
              6U + 2 * static_cast<std::uint64_t>(cluster().capacity.cpus.value()));
}

MUSTER_BODY(WhatIsUnderWayFitsTheMemory) {
    constexpr std::uint64_t cap = 100'000;
    for (const std::uint64_t batch : {0U, 7U, 1500U}) {
        auto run = data::range(200'000)
                       .with({.memory_bytes = cap, .block_bytes = 8'000})
                       .map_batches<&same>()
                       .iter_batches(batch);
        std::uint64_t rows = 0;
        while (const auto block = run.next()) {
            rows += block->rows();
            EXPECT_LE(run.stats().bytes_outstanding_max, cap);
        }
        EXPECT_EQ(rows, 200'000U);
        EXPECT_EQ(run.stats().tasks, 200U);
    }
}

MUSTER_BODY(ARunThatIsLeftIsCancelled) {
    auto run = data::range(100'000).with({.block_bytes = 800}).map_batches<&same>().iter_blocks();
    EXPECT_EQ(run.next()->rows(), 100U);
}

MUSTER_BODY(ErrorsNameTheOperatorAndTheColumns) {
    const auto numbers = data::range(100);
    const auto expect = [](const std::string& text, std::initializer_list<const char*> parts) {
        for (const char* part : parts) {
            EXPECT_TRUE(contains(text, part)) << part << " is not in: " << text;
        }
    };
    expect(failure_of(numbers.sort({"price"})), {"sort: no column \"price\"", "id (int64)"});
    expect(failure_of(numbers.select({"price"})), {"no column \"price\"", "id (int64)", "select"});
    expect(failure_of(numbers.drop({"price"})), {"no column \"price\"", "drop"});
    expect(failure_of(numbers.group_by("price").count()), {"group_by: no column \"price\""});
    expect(failure_of(numbers.group_by("id").aggregate({data::mean("y")})),
           {"mean: no column \"y\"", "id (int64)"});
    expect(failure_of(numbers.unique({"y"})), {"unique: no column \"y\""});
    expect(failure_of(numbers.zip(numbers)), {"zip: both sides have a column \"id\"", "rename"});
    expect(failure_of(numbers.zip(data::range(30).rename("id", "b"))),
           {"zip: the left side has 100 rows, and the right one 30"});
    expect(failure_of(data::range_tensor(5, {3}).sort({"data"})),
           {"column \"data\" is no key", "int64[3]"});
    const auto doubled = numbers.zip(numbers.rename("id", "b"));
    expect(failure_of(doubled.join(doubled, {"id"})),
           {"join: both sides have a column \"b\"", "right_suffix"});
    expect(failure_of(numbers.join(numbers.rename("id", "b"), {"id"})),
           {"join: no column \"id\"", "b (int64)"});
    expect(failure_of(numbers.join(
               numbers.map<[](const Row&, data::NewRow& out) { out.set("id", 1.5); }>(), {"id"})),
           {"join: the key \"id\" is int64 on the left and float64 on the right"});
    expect(failure_of(numbers.union_with(numbers.rename("id", "b")).sort({"id"})),
           {"no column \"id\""});
    expect(failure_of(numbers.filter<[](const Row& row) { return row.get<float>("id") != 0; }>()),
           {"column \"id\" is int64, and was asked for as float32", "filter"});
    expect(usage_of([&] { (void)numbers.limit(-1); }), {"limit(-1)", "negative"});
    expect(usage_of([&] { (void)numbers.take(-5); }), {"take(-5)"});
    expect(usage_of([&] { (void)data::range(-1); }), {"range(-1)"});
    expect(usage_of([&] { (void)numbers.repartition(0); }), {"repartition(0)"});
    expect(usage_of([&] { (void)numbers.split(0); }), {"split(0)"});
    expect(usage_of([&] { (void)numbers.sample(2, 1); }), {"sample(2)", "between 0 and 1"});
    expect(usage_of([&] { (void)numbers.train_test_split(-0.5); }), {"train_test_split(-0.5)"});
    expect(usage_of([&] { (void)numbers.sort({}); }), {"sort: names no column"});
    expect(usage_of([&] { (void)numbers.group_by({"a", "a"}); }), {"\"a\" is named twice"});
    expect(usage_of([&] { (void)numbers.group_by("a").aggregate({}); }), {"names no aggregate"});
    expect(usage_of([&] {
               (void)numbers.aggregate({data::sum("a"), data::sum("a")});
           }),
           {"\"sum(a)\" is named twice"});
}

MUSTER_BODY(CsvFilesHaveEveryRowOnce) {
    const Directory directory;
    const auto file = directory.path / "rows.csv";
    Block block;
    block.add("name", std::vector<std::string>{"plain", "with, comma", "say \"hi\"", ""});
    block.add("x", std::vector<float>{0.1F, -2, 1e30F, 0});
    block.add("yes", std::vector<bool>{true, false, true, true});
    EXPECT_EQ(data::from_blocks({block, block.slice(0, 1)}).write_csv(file), 5U);
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(text,
              "name,x,yes\nplain,0.1,true\n\"with, comma\",-2,false\n"
              "\"say \"\"hi\"\"\",1e+30,true\n,0,true\nplain,0.1,true\n");
    // A failure leaves neither a new file nor half of one.
    const auto other = directory.path / "other.csv";
    EXPECT_THROW((void)data::range(1000)
                     .with({.block_bytes = 800})
                     .map_batches<&refuse_the_number>(950)
                     .write_csv(other),
                 TaskError);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path), {}), 1);
    EXPECT_TRUE(contains(thrown_by<Error>([&] {
                             (void)data::range(3).write_csv(directory.path / "no" / "file.csv");
                         }),
                         "write_csv: cannot write"));
}

MUSTER_BODY(BlocksShareTheirMemoryAndTravelWhole) {
    Random random(3);
    const Records records = random_records(random, 500, 20);
    const Block block = block_of(records);
    const Block part = block.slice(100, 50);
    EXPECT_EQ(part.column<double>("x").data(), block.column<double>("x").data() + 100);
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto back = task<[](const Block& in) { return in.slice(10, 20); }>.with(
            {.placement = on_rank(rank)})(put(part));
        Records rows;
        append_records(rows, back.get());
        EXPECT_EQ(rows, Records(records.begin() + 110, records.begin() + 130));
    }
    for (const auto& field : block.fields()) {
        if (field.type != data::ValueType::text) {
            const auto values = put(block).get().values(block.index_of(field.name));
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % 64, 0U);
        }
    }
}

} // namespace muster::test
