#include "plan/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::data::plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Step named(const char* name) {
    Step step;
    step.name = name;
    return step;
}

OwnSteps own() {
    OwnSteps steps;
    steps.make_head = [](std::uint64_t) { return named("head"); };
    steps.make_sorted = [](const Sort&) { return named("sorted"); };
    steps.make_join_sorted = [](const std::vector<std::string>&) { return named("join_sorted"); };
    steps.make_partial = [](const Group&) { return named("partial"); };
    return steps;
}

NodePtr node(Operator op, std::vector<NodePtr> inputs = {}) {
    return std::make_shared<const Node>(Node{std::move(op), std::move(inputs)});
}

NodePtr apply(const char* name, NodePtr input, Amount gpus = 0) {
    Step step = named(name);
    step.gpus = gpus;
    return node(Apply{step}, {std::move(input)});
}

NodePtr file(std::vector<std::string> columns = {}) {
    return node(ReadFile{"a.h5", {.columns = std::move(columns)}});
}

TEST(Plan, FunctionsJoinTheTasksThatMakeTheirInput) {
    const Stage stage = make_stages(apply("b", apply("a", file())), own());
    EXPECT_EQ(stage.name(), "read -> a -> b");
    EXPECT_THAT(stage.inputs, IsEmpty());
    EXPECT_EQ(make_stages(apply("a", node(Shuffle{1}, {file()})), own()).name(),
              "random_shuffle -> a");
}

TEST(Plan, AChangeOfResourcesBeginsAnotherTask) {
    const Stage stage = make_stages(apply("c", apply("b", apply("a", file()), 1), 1), own());
    EXPECT_EQ(stage.name(), "b -> c");
    EXPECT_EQ(stage.gpus, Amount(1));
    EXPECT_EQ(stage.inputs.at(0).name(), "read -> a");
}

TEST(Plan, StoredBlocksUnionsAndActorsHaveNoTasksToJoin) {
    for (const NodePtr& input : {node(Stored{}),
                                 node(Union{}, {file(), file()}),
                                 node(Actors{}, {file()}),
                                 node(Limit{5}, {file()})}) {
        const Stage stage = make_stages(apply("b", apply("a", input)), own());
        EXPECT_EQ(stage.name(), "a -> b");
        EXPECT_EQ(stage.inputs.size(), 1U);
    }
}

TEST(Plan, WhatAnOperatorDoesToEachBlockAloneIsDoneWhereTheBlockIsMade) {
    const Stage sort = make_stages(node(Sort{{"x"}}, {apply("a", file())}), own());
    EXPECT_EQ(sort.name(), "sort");
    EXPECT_EQ(sort.inputs.at(0).name(), "read -> a -> sorted");
    const Stage group = make_stages(node(Group{{"k"}, {count()}}, {apply("a", file())}), own());
    EXPECT_EQ(group.inputs.at(0).name(), "read -> a -> partial");
    const Stage join = make_stages(node(Join{{"k"}, {}}, {file(), node(Stored{})}), own());
    EXPECT_EQ(join.inputs.at(0).name(), "read -> join_sorted");
    EXPECT_EQ(join.inputs.at(1).name(), "join_sorted");
}

TEST(Plan, FunctionsBehindAnExchangeJoinItsMerges) {
    const Stage stage = make_stages(apply("a", node(Sort{{"x"}}, {file()})), own());
    EXPECT_EQ(stage.name(), "sort -> a");
}

TEST(Plan, ALimitIsToldToWhatIsBeforeIt) {
    const Stage stage = make_stages(node(Limit{5}, {apply("a", file())}), own());
    EXPECT_EQ(stage.name(), "limit");
    EXPECT_EQ(stage.inputs.at(0).name(), "read -> a -> head");
    const Stage gpu = make_stages(node(Limit{5}, {apply("a", file(), 2)}), own());
    EXPECT_EQ(gpu.inputs.at(0).inputs.at(0).name(), "read");
    EXPECT_EQ(gpu.inputs.at(0).gpus, Amount(2));
}

TEST(Plan, OnlyTheColumnsThatCountAreRead) {
    Step select = named("select");
    select.selects = {"y", "x"};
    EXPECT_THAT(make_stages(node(Apply{select}, {file()}), own()).read.columns,
                ElementsAre("x", "y"));
    const auto group = [](NodePtr input, std::vector<Aggregate> aggregates) {
        return make_stages(node(Group{{"k"}, std::move(aggregates)}, {std::move(input)}), own())
            .inputs.at(0)
            .read.columns;
    };
    EXPECT_THAT(group(file(), {mean("x"), count(), max("x")}), ElementsAre("k", "x"));
    EXPECT_THAT(group(file({"k", "z"}), {mean("x")}), ElementsAre("k", "z"));
    EXPECT_THAT(group(apply("a", file()), {mean("x")}), IsEmpty()); // it may look at all
    EXPECT_THAT(make_stages(node(Group{{}, {count()}}, {file()}), own()).inputs.at(0).read.columns,
                IsEmpty());
}

} // namespace
} // namespace muster::data::plan
