#pragma once

#include <muster/core/future.hpp>
#include <muster/pipeline/aggregate.hpp>
#include <muster/pipeline/batches.hpp>
#include <muster/pipeline/block.hpp>
#include <muster/pipeline/detail/block_pool.hpp>
#include <muster/pipeline/detail/step_call.hpp>
#include <muster/pipeline/options.hpp>
#include <muster/pipeline/row.hpp>

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster::data {

namespace plan {
struct Node;
}

class Grouped;

/// Rows, and what is to be done with them: nothing is, until they are asked for.
///
///     auto brightness = data::read("mnist.h5")
///                           .filter<[](const Row& row) { return row.get<std::uint8_t>("label") !=
///                           0; }>() .group_by("label") .aggregate({data::mean("image")});
///     brightness.show();
///
/// A value: each call returns a longer pipeline and leaves this one as it is. Rows travel in
/// blocks, as tasks of the cluster's ranks; functions of one block after another are one task, and
/// blocks come to the driver in order, while later ones are being made, within
/// ExecutionOptions::memory_bytes. Results do not depend on the number of ranks.
///
/// Functions are function pointers or captureless lambdas, named as template arguments; what is
/// bound to them travels. They get no empty blocks. What they throw, `next()`, `take()` and the
/// others throw as TaskError, which names them. A task whose rank is lost runs again.
///
/// Threads: the driver's, or a task's; different copies may be used at the same time.
class Pipeline {
public:
    // Of each block or row.

    /// `Block f(const Block& batch, bound...)`: any number of rows, and any columns.
    template <auto F, class... A>
    [[nodiscard]] Pipeline map_batches(A&&... bound) const {
        return map_batches_with<F>(MapOptions{}, std::forward<A>(bound)...);
    }

    /// The same, in batches and with resources as the options say.
    template <auto F, class... A>
    [[nodiscard]] Pipeline map_batches_with(const MapOptions& options, A&&... bound) const {
        detail::check_function<F, 1, Block>();
        Step step = detail::make_step<detail::MapBatches<F>>(
            "map_batches", {options.batch_size, detail::bind_one<F>(std::forward<A>(bound)...)});
        step.cpus = options.cpus;
        step.gpus = options.gpus;
        return apply(std::move(step));
    }

    /// `Block C::operator()(const Block& batch)` of `options.actors` objects, each made once on
    /// some rank from `arguments`, which must travel: for models and whatever else is slow to make.
    template <class C, class... A>
    [[nodiscard]] Pipeline map_batches(const MapOptions& options, A&&... arguments) const {
        using Pool = detail::ActorBlockPool<C, detail::StoredArgument<A>...>;
        check_actors(options);
        std::tuple<detail::StoredArgument<A>...> stored(std::forward<A>(arguments)...);
        return actors(
            {[options, stored] { return std::make_unique<Pool>(options, stored); }, options.actors},
            muster::detail::type_name<C>());
    }

    /// `void f(const Row& in, NewRow& out, bound...)`: one row of each.
    template <auto F, class... A>
    [[nodiscard]] Pipeline map(A&&... bound) const {
        detail::check_function<F, 2, Row>();
        return apply(detail::make_step<detail::MapRows<F>>(
            "map", typename detail::MapRows<F>::Bound(std::forward<A>(bound)...)));
    }

    /// `void f(const Row& in, Rows& out, bound...)`: any number of rows of each.
    template <auto F, class... A>
    [[nodiscard]] Pipeline flat_map(A&&... bound) const {
        detail::check_function<F, 2, Row>();
        return apply(detail::make_step<detail::FlatMapRows<F>>(
            "flat_map", typename detail::FlatMapRows<F>::Bound(std::forward<A>(bound)...)));
    }

    /// `bool f(const Row& row, bound...)`: the rows for which it is true.
    template <auto F, class... A>
    [[nodiscard]] Pipeline filter(A&&... bound) const {
        detail::check_function<F, 1, Row>();
        return apply(detail::make_step<detail::FilterRows<F>>(
            "filter", detail::bind_one<F>(std::forward<A>(bound)...)));
    }

    [[nodiscard]] Pipeline select(std::vector<std::string> columns) const;
    [[nodiscard]] Pipeline drop(std::vector<std::string> columns) const;
    [[nodiscard]] Pipeline rename(std::string from, std::string to) const;
    /// Each row with this probability; the same rows for the same seed and blocks.
    [[nodiscard]] Pipeline sample(double fraction, std::uint64_t seed) const;

    // Of rows as they come.

    /// The first `rows`; what is behind them is not computed, but for what was under way.
    /// @throws Error (usage) if negative.
    [[nodiscard]] Pipeline limit(std::int64_t rows) const;
    /// Its rows, then the other's.
    [[nodiscard]] Pipeline union_with(const Pipeline& other) const;
    /// Its columns, and the other's beside them. Fails if one has more rows, or a name is in both.
    [[nodiscard]] Pipeline zip(const Pipeline& other) const;

    // Of all rows: these begin once all their input is there, as values of the cluster, of which
    // those that do not fit into memory go to the disk.

    /// So many blocks of equal size. @throws Error (usage) for 0.
    [[nodiscard]] Pipeline repartition(std::int64_t blocks) const;
    /// An order in which every row may be anywhere, the same for the same seed.
    [[nodiscard]] Pipeline random_shuffle(std::uint64_t seed) const;
    /// By the first key, equal ones by the second and so on; stable. NaN is last.
    [[nodiscard]] Pipeline sort(std::vector<SortKey> keys) const;
    /// The first row of each combination of values in these columns, sorted by them. NaN equals
    /// NaN.
    [[nodiscard]] Pipeline unique(std::vector<std::string> columns) const;
    /// Groups of equal values in these columns; results are sorted by them.
    [[nodiscard]] Grouped group_by(std::vector<std::string> columns) const;

    template <class S>
    requires std::is_convertible_v<const S&, std::string>
    [[nodiscard]] Grouped group_by(const S& column) const;

    /// Rows of both with equal keys, sorted by them; keys need the same type in both. NaN equals
    /// NaN.
    [[nodiscard]] Pipeline
    join(const Pipeline& right, std::vector<std::string> keys, JoinOptions options = {}) const;

    // What runs it.

    /// Aggregates of all rows: a block of one row.
    [[nodiscard]] Block aggregate(std::vector<Aggregate> aggregates) const;
    [[nodiscard]] std::uint64_t count() const;
    /// The first rows. @throws Error (usage) if negative.
    [[nodiscard]] Block take(std::int64_t rows) const;
    /// Prints the first rows as a table.
    void show(std::int64_t rows = 10) const;
    void show(std::ostream& out, std::int64_t rows = 10) const;
    /// Runs it and keeps the rows as values of the cluster, for as long as the pipeline lives.
    [[nodiscard]] Pipeline materialize() const;
    /// The rows on the driver; see Batches.
    [[nodiscard]] Batches iter_batches(std::uint64_t batch_size) const;

    [[nodiscard]] Batches iter_blocks() const { return iter_batches(0); }

    /// The blocks as values: to be given to tasks, which take a std::vector<Block>. Runs it.
    [[nodiscard]] std::vector<Future<Block>> futures() const;

    /// The last `fraction` of the rows apart from those before: train and test. Runs it. Shuffle
    /// first where order means something. @throws Error (usage) unless 0 <= fraction <= 1.
    [[nodiscard]] std::pair<Pipeline, Pipeline> train_test_split(double test_fraction) const;
    /// So many parts whose sizes differ by a row at most: one for each worker. Runs it.
    [[nodiscard]] std::vector<Pipeline> split(std::int64_t parts) const;

    /// Writes a comma-separated file: a line of names, and one for each row; numbers so that they
    /// read back exactly, text in quotes where it needs them. Only columns of one value a row. The
    /// file is there once it is complete. @return the number of rows.
    std::uint64_t write_csv(const std::filesystem::path& file) const;

    /// Writes an HDF5 table in shards, which tasks write at the same time (see writer.hpp): readers
    /// see all of it or nothing. @return the number of rows.
    /// @throws Error (usage) if there is something at the path already, or there is no block to
    ///         tell the columns from.
    std::uint64_t write_hdf5(const std::filesystem::path& file,
                             const WriteHdf5Options& options = {}) const;

    /// How runs of it and of what is made from it are to go.
    [[nodiscard]] Pipeline with(const ExecutionOptions& options) const;

    /// Private to the library.
    explicit Pipeline(std::shared_ptr<const plan::Node> node, ExecutionOptions options = {})
        : node_(std::move(node)), options_(options) {}

    [[nodiscard]] const std::shared_ptr<const plan::Node>& node() const { return node_; }

private:
    friend class Grouped;

    static void check_actors(const MapOptions& options);
    [[nodiscard]] Pipeline apply(Step step) const;
    [[nodiscard]] Pipeline actors(detail::BlockPoolMaker maker, std::string name) const;
    [[nodiscard]] std::unique_ptr<detail::Execution> run() const;
    [[nodiscard]] Pipeline sorted_groups(std::vector<std::string> keys) const;

    std::shared_ptr<const plan::Node> node_;
    ExecutionOptions options_;
};

/// A pipeline's rows in groups of equal keys.
class Grouped {
public:
    /// One row for each group: its keys, and a column for each aggregate.
    [[nodiscard]] Pipeline aggregate(std::vector<Aggregate> aggregates) const;

    /// `Block f(const Block& group, bound...)` of all rows of each group, which come in their
    /// order; a group must fit into memory.
    template <auto F, class... A>
    [[nodiscard]] Pipeline map_groups(A&&... bound) const {
        detail::check_function<F, 1, Block>();
        return input_.sorted_groups(keys_).apply(detail::make_step<detail::MapGroups<F>>(
            "map_groups", {keys_, detail::bind_one<F>(std::forward<A>(bound)...)}));
    }

    [[nodiscard]] Pipeline count() const { return aggregate({data::count()}); }

private:
    friend class Pipeline;

    Grouped(Pipeline input, std::vector<std::string> keys)
        : input_(std::move(input)), keys_(std::move(keys)) {}

    Pipeline input_;
    std::vector<std::string> keys_;
};

template <class S>
requires std::is_convertible_v<const S&, std::string>

    Grouped Pipeline::group_by(const S& column)
const {
    return group_by(std::vector<std::string>{std::string(column)});
}

/// Columns of an HDF5 file, or of several that a pattern (`*`, `?`, `[…]`) names, in blocks of
/// about ExecutionOptions::block_bytes. The file is opened when the pipeline runs, on every rank
/// that reads of it.
[[nodiscard]] Pipeline read(const std::filesystem::path& file, ReadOptions options = {});

/// Blocks that the driver has: stored as values of the cluster at once.
[[nodiscard]] Pipeline from_blocks(const std::vector<Block>& blocks);

/// Blocks that are values already.
[[nodiscard]] Pipeline from_futures(const std::vector<Future<Block>>& blocks);

/// 0 to `rows` - 1 in a column "id" (int64). @throws Error (usage) if negative.
[[nodiscard]] Pipeline range(std::int64_t rows);

/// The same numbers in a column "data" (int64), each of them in all values of a row of that shape.
[[nodiscard]] Pipeline range_tensor(std::int64_t rows, std::vector<std::uint64_t> shape);

} // namespace muster::data
