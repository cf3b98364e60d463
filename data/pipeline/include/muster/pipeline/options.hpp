#pragma once

#include <muster/base/amount.hpp>
#include <muster/data/new_column.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster::data {

/// How a pipeline is run. Fields keep this order, and new ones are appended.
struct ExecutionOptions {
    /// What the blocks may take that were asked for and that the consumer has not had yet, with
    /// those that one merge of a sort or join reads. 0: a quarter of what the node's ranks may use
    /// for values, at most 1 GiB. All-to-all operators keep their whole input as values besides,
    /// which go to the disk where memory is full (docs/environment.md, MUSTER_OBJECT_MEMORY).
    std::uint64_t memory_bytes = 0;
    /// How large blocks of sources and of sorted output should be. The order and content of results
    /// depend on it where an operator sees blocks (map_batches); never on the number of ranks.
    std::uint64_t block_bytes = std::uint64_t{8} << 20;
};

/// What a run of a pipeline has done, counted on the driver.
struct ExecutionStats {
    std::uint64_t tasks = 0;                 ///< That were submitted.
    std::uint64_t blocks = 0;                ///< That the consumer had.
    std::uint64_t bytes_outstanding_max = 0; ///< The most that was asked for and not consumed.
    std::uint64_t memory_bytes = 0;          ///< The cap that held.
};

/// How a function is applied to batches. Fields keep this order, and new ones are appended.
struct MapOptions {
    /// Rows the function gets at once, of one block (its last batch has what is left); 0: blocks as
    /// they are.
    std::uint64_t batch_size = 0;
    Amount cpus = 1; ///< Of each task, or actor.
    Amount gpus = 0;
    /// Of a class: how many of its objects there are, each with the resources above.
    std::uint32_t actors = 2;
};

struct ReadOptions {
    std::vector<std::string> columns{}; ///< Empty: all.
    std::uint64_t first_row = 0;
    std::uint64_t rows = ~std::uint64_t{0}; ///< At most.
};

/// How a table is written. Fields keep this order, and new ones are appended.
struct WriteHdf5Options {
    bool replace = false;         ///< What is at the path already, at once when all is written.
    Compression compression = {}; ///< Of each column.
    /// Rows in a shard are about so many bytes.
    std::uint64_t shard_bytes = std::uint64_t{64} << 20;
};

/// A column to sort by. NaN comes last, descending too; equal rows keep their order.
struct SortKey {
    SortKey() = default;

    SortKey(std::string name, bool from_largest = false) // NOLINT(google-explicit-constructor)
        : column(std::move(name)), descending(from_largest) {}

    SortKey(const char* name) : column(name) {} // NOLINT(google-explicit-constructor)

    std::string column;
    bool descending = false;

    template <class A>
    void serialize(A& archive) {
        archive(column, descending);
    }
};

/// `descending("price")`
inline SortKey descending(std::string column) {
    return {std::move(column), true};
}

enum class JoinKind : std::uint8_t { inner, left, right, full };

/// Fields keep this order, and new ones are appended.
struct JoinOptions {
    JoinKind kind = JoinKind::inner;
    /// Behind the names of right columns that the left side has, too; empty: such names are an
    /// error.
    std::string right_suffix{};
    /// A column that says where each row came from: 1 left only, 2 right only, 3 both (uint8).
    /// Empty: none. Values that a side does not have are NaN, 0, false or empty.
    std::string source{};
};

} // namespace muster::data
