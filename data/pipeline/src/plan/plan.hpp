#pragma once

#include <muster/base/amount.hpp>
#include <muster/pipeline/aggregate.hpp>
#include <muster/pipeline/detail/step.hpp>
#include <muster/pipeline/options.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

/// What a pipeline does, as a tree of operators, and how that becomes tasks. Pure: nothing here
/// runs anything.
namespace muster::data::plan {

struct Node;
using NodePtr = std::shared_ptr<const Node>;

// Sources.

struct ReadFile {
    std::string file;
    ReadOptions options;
};

struct Range {
    std::uint64_t rows = 0;
    std::vector<std::uint64_t> shape; ///< Of a row; {}: column "id", else "data".
};

struct BlockInfo {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
};

/// Blocks that are values already.
struct Stored {
    std::shared_ptr<const void> values; ///< The executor's: what they are.
    std::vector<BlockInfo> blocks;
};

// Of one input.

/// A function of each block.
struct Apply {
    Step step;
};

/// Objects of a class, to which blocks go.
struct Actors {
    std::shared_ptr<const void> pool; ///< The executor's: how they are made.
    std::string name;
};

struct Limit {
    std::uint64_t rows = 0;
};

struct Repartition {
    std::uint64_t blocks = 1;
};

struct Shuffle {
    std::uint64_t seed = 0;
};

struct Sort {
    std::vector<SortKey> keys;
    bool unique = false; ///< The first row of each key only.
};

struct Group {
    std::vector<std::string> keys; ///< None: all rows are one group.
    std::vector<Aggregate> aggregates;
};

// Of two.

struct Union {};

struct Zip {};

struct Join {
    std::vector<std::string> keys;
    JoinOptions options;
};

using Operator = std::variant<ReadFile,
                              Range,
                              Stored,
                              Apply,
                              Actors,
                              Limit,
                              Repartition,
                              Shuffle,
                              Sort,
                              Group,
                              Union,
                              Zip,
                              Join>;

struct Node {
    Operator op;
    std::vector<NodePtr> inputs;
};

/// An operator with the functions that its tasks apply to what it makes: one task each, from what
/// is read to what is handed on.
struct Stage {
    NodePtr node;
    std::vector<Stage> inputs;
    std::vector<Step> steps;
    Amount cpus = 1; ///< Of each task.
    Amount gpus = 0;
    /// Of a file: what of it is read; less than the node says where nobody looks at more.
    ReadOptions read{};

    /// "read -> map_batches(scale)", for errors and logs.
    [[nodiscard]] std::string name() const;
};

/// The functions that the plan itself puts into stages.
struct OwnSteps {
    Step (*make_head)(std::uint64_t rows) = nullptr; ///< At most so many rows.
    Step (*make_sorted)(const Sort& sort) = nullptr;
    Step (*make_join_sorted)(const std::vector<std::string>& keys) = nullptr;
    Step (*make_partial)(const Group& group) = nullptr;
};

/// Makes stages of a plan:
///   1. Functions of blocks join the tasks that make their input, if they need the same resources
///      and those tasks exist (not of stored blocks, unions and actors: they get tasks of their
///      own).
///   2. What sort, group_by and join do to each block alone is such a function, too.
///   3. A limit is told to the functions before it: none makes more rows than are wanted at all.
///   4. Of a file, only the columns are read that an aggregation or selection right behind it
///   names.
[[nodiscard]] Stage make_stages(const NodePtr& node, const OwnSteps& own);

} // namespace muster::data::plan
