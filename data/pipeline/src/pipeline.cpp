#include "exec/execution.hpp"
#include "exec/stream.hpp"
#include "exec/tasks.hpp"
#include "kernel/gather.hpp"
#include "kernel/grouping.hpp"
#include "plan/cuts.hpp"
#include "plan/plan.hpp"

#include <muster/pipeline/pipeline.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace muster::data {
namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(message, ErrorCode::usage);
}

std::uint64_t not_negative(std::int64_t number, const char* what) {
    if (number < 0) {
        refuse(fmt::format("{}({}): the number of rows is negative", what, number));
    }
    return static_cast<std::uint64_t>(number);
}

std::uint64_t positive(std::int64_t number, const char* what) {
    if (number < 1) {
        refuse(fmt::format("{}({}): needs 1 or more", what, number));
    }
    return static_cast<std::uint64_t>(number);
}

void check_names(const std::vector<std::string>& names,
                 const char* what,
                 bool may_be_none = false) {
    if (names.empty() && !may_be_none) {
        refuse(fmt::format("{}: names no column", what));
    }
    for (auto name = names.begin(); name != names.end(); ++name) {
        if (std::find(names.begin(), name, *name) != name) {
            refuse(fmt::format("{}: column \"{}\" is named twice", what, *name));
        }
    }
}

void check_aggregates(const std::vector<std::string>& keys,
                      const std::vector<Aggregate>& aggregates,
                      const char* what) {
    std::vector<std::string> names = keys;
    for (const Aggregate& aggregate : aggregates) {
        names.push_back(kernel::name_of(aggregate));
    }
    if (aggregates.empty()) {
        refuse(fmt::format("{}: names no aggregate; data::count() counts rows", what));
    }
    check_names(names, what);
}

Pipeline node_of(plan::Operator op,
                 std::vector<plan::NodePtr> inputs,
                 const ExecutionOptions& options = {}) {
    return Pipeline(
        std::make_shared<const plan::Node>(plan::Node{std::move(op), std::move(inputs)}), options);
}

/// Some rows of stored blocks, in stored blocks: those that are whole are shared.
Pipeline
stored_rows(const plan::Stored& stored, const plan::Piece& piece, const ExecutionOptions& options) {
    const auto& blocks = *std::static_pointer_cast<const exec::StoredBlocks>(stored.values);
    std::vector<std::uint64_t> rows;
    for (const plan::BlockInfo& info : stored.blocks) {
        rows.push_back(info.rows);
    }
    auto part = std::make_shared<exec::StoredBlocks>();
    std::vector<plan::BlockInfo> infos;
    for (const plan::Cut& cut : plan::locate(rows, piece)) {
        const plan::BlockInfo& whole = stored.blocks[cut.block];
        if (cut.rows == whole.rows) {
            part->push_back(blocks[cut.block]);
            infos.push_back(whole);
            continue;
        }
        part->push_back(task<&exec::cut_rows>.with({.name = "split"})(
            std::vector<Future<Block>>{blocks[cut.block]},
            std::vector<plan::Cut>{{0, cut.first, cut.rows}},
            exec::Chain{},
            std::uint64_t{0}));
        infos.push_back({cut.rows, whole.bytes * cut.rows / whole.rows});
    }
    return node_of(plan::Stored{std::shared_ptr<const exec::StoredBlocks>(part), std::move(infos)},
                   {},
                   options);
}

std::uint64_t rows_of(const plan::Stored& stored) {
    std::uint64_t rows = 0;
    for (const plan::BlockInfo& info : stored.blocks) {
        rows += info.rows;
    }
    return rows;
}

} // namespace

void Pipeline::check_actors(const MapOptions& options) {
    if (options.actors == 0) {
        refuse("map_batches: MapOptions::actors is 0, so nobody would be given a batch");
    }
}

Pipeline Pipeline::apply(Step step) const {
    return node_of(plan::Apply{std::move(step)}, {node_}, options_);
}

Pipeline Pipeline::actors(detail::BlockPoolMaker maker, std::string name) const {
    return node_of(plan::Actors{std::make_shared<const detail::BlockPoolMaker>(std::move(maker)),
                                std::move(name)},
                   {node_},
                   options_);
}

Pipeline Pipeline::select(std::vector<std::string> columns) const {
    check_names(columns, "select");
    return apply(exec::select_step(std::move(columns)));
}

Pipeline Pipeline::drop(std::vector<std::string> columns) const {
    return apply(exec::drop_step(std::move(columns)));
}

Pipeline Pipeline::rename(std::string from, std::string to) const {
    return apply(exec::rename_step(std::move(from), std::move(to)));
}

Pipeline Pipeline::sample(double fraction, std::uint64_t seed) const {
    if (!(fraction >= 0 && fraction <= 1)) {
        refuse(fmt::format("sample({}): a fraction is between 0 and 1", fraction));
    }
    return apply(exec::sample_step(fraction, seed));
}

Pipeline Pipeline::limit(std::int64_t rows) const {
    return node_of(plan::Limit{not_negative(rows, "limit")}, {node_}, options_);
}

Pipeline Pipeline::union_with(const Pipeline& other) const {
    return node_of(plan::Union{}, {node_, other.node_}, options_);
}

Pipeline Pipeline::zip(const Pipeline& other) const {
    return node_of(plan::Zip{}, {node_, other.node_}, options_);
}

Pipeline Pipeline::repartition(std::int64_t blocks) const {
    return node_of(plan::Repartition{positive(blocks, "repartition")}, {node_}, options_);
}

Pipeline Pipeline::random_shuffle(std::uint64_t seed) const {
    return node_of(plan::Shuffle{seed}, {node_}, options_);
}

Pipeline Pipeline::sort(std::vector<SortKey> keys) const {
    if (keys.empty()) {
        refuse("sort: names no column");
    }
    return node_of(plan::Sort{std::move(keys), false}, {node_}, options_);
}

Pipeline Pipeline::sorted_groups(std::vector<std::string> keys) const {
    return sort(kernel::ascending(keys));
}

Pipeline Pipeline::unique(std::vector<std::string> columns) const {
    check_names(columns, "unique");
    return node_of(plan::Sort{kernel::ascending(columns), true}, {node_}, options_);
}

Grouped Pipeline::group_by(std::vector<std::string> columns) const {
    check_names(columns, "group_by");
    return {*this, std::move(columns)};
}

Pipeline Grouped::aggregate(std::vector<Aggregate> aggregates) const {
    check_aggregates(keys_, aggregates, "group_by");
    return node_of(plan::Group{keys_, std::move(aggregates)}, {input_.node_}, input_.options_);
}

Pipeline
Pipeline::join(const Pipeline& right, std::vector<std::string> keys, JoinOptions options) const {
    check_names(keys, "join");
    return node_of(plan::Join{std::move(keys), std::move(options)}, {node_, right.node_}, options_);
}

std::unique_ptr<detail::Execution> Pipeline::run() const {
    return exec::start(node_, options_);
}

Block Pipeline::aggregate(std::vector<Aggregate> aggregates) const {
    check_aggregates({}, aggregates, "aggregate");
    const Pipeline all = node_of(plan::Group{{}, std::move(aggregates)}, {node_}, options_);
    return *all.iter_blocks().next();
}

std::uint64_t Pipeline::count() const {
    if (const auto* stored = std::get_if<plan::Stored>(&node_->op)) {
        return rows_of(*stored);
    }
    return aggregate({data::count()}).column<std::uint64_t>("count")[0];
}

Block Pipeline::take(std::int64_t rows) const {
    const std::uint64_t wanted = not_negative(rows, "take");
    std::vector<Block> blocks;
    const auto execution = node_of(plan::Limit{wanted}, {node_}, options_).run();
    while (auto block = execution->next()) {
        blocks.push_back(*std::move(block));
    }
    return kernel::concat(blocks);
}

Pipeline Pipeline::materialize() const {
    return node_of(exec::collect_blocks(node_, options_), {}, options_);
}

Batches Pipeline::iter_batches(std::uint64_t batch_size) const {
    return {run(), batch_size};
}

std::vector<Future<Block>> Pipeline::futures() const {
    return *std::static_pointer_cast<const exec::StoredBlocks>(
        exec::collect_blocks(node_, options_).values);
}

std::pair<Pipeline, Pipeline> Pipeline::train_test_split(double test_fraction) const {
    if (!(test_fraction >= 0 && test_fraction <= 1)) {
        refuse(fmt::format("train_test_split({}): a fraction is between 0 and 1", test_fraction));
    }
    const plan::Stored stored = exec::collect_blocks(node_, options_);
    const std::uint64_t rows = rows_of(stored);
    const auto test =
        static_cast<std::uint64_t>(std::llround(test_fraction * static_cast<double>(rows)));
    return {stored_rows(stored, {0, rows - test}, options_),
            stored_rows(stored, {rows - test, test}, options_)};
}

std::vector<Pipeline> Pipeline::split(std::int64_t parts) const {
    const std::uint64_t count = positive(parts, "split");
    const plan::Stored stored = exec::collect_blocks(node_, options_);
    std::vector<Pipeline> all;
    const plan::Pieces pieces(rows_of(stored), count);
    for (std::uint64_t i = 0; i < count; ++i) {
        all.push_back(stored_rows(stored, pieces[i], options_));
    }
    return all;
}

Pipeline Pipeline::with(const ExecutionOptions& options) const {
    return Pipeline(node_, options);
}

Pipeline read(const std::filesystem::path& file, ReadOptions options) {
    check_names(options.columns, "read", true);
    return node_of(plan::ReadFile{file.string(), std::move(options)}, {});
}

Pipeline from_blocks(const std::vector<Block>& blocks) {
    (void)kernel::common_fields(blocks);
    auto stored = std::make_shared<exec::StoredBlocks>();
    std::vector<plan::BlockInfo> infos;
    for (const Block& block : blocks) {
        stored->push_back(put(block));
        infos.push_back({block.rows(), block.size_bytes()});
    }
    return node_of(
        plan::Stored{std::shared_ptr<const exec::StoredBlocks>(stored), std::move(infos)}, {});
}

Pipeline from_futures(const std::vector<Future<Block>>& blocks) {
    std::vector<Future<exec::Survey>> surveys;
    for (const auto& block : blocks) {
        surveys.push_back(task<&exec::survey_block>.with({.cpus = 0, .name = "from_futures"})(
            block, std::vector<SortKey>{}));
    }
    std::vector<plan::BlockInfo> infos;
    for (const auto& survey : surveys) {
        infos.push_back(survey.get().info);
    }
    return node_of(
        plan::Stored{std::make_shared<const exec::StoredBlocks>(blocks), std::move(infos)}, {});
}

Pipeline range(std::int64_t rows) {
    return node_of(plan::Range{not_negative(rows, "range"), {}}, {});
}

Pipeline range_tensor(std::int64_t rows, std::vector<std::uint64_t> shape) {
    if (shape.empty() || std::find(shape.begin(), shape.end(), 0U) != shape.end()) {
        refuse("range_tensor: the shape of a row needs one axis or more, none of them 0");
    }
    return node_of(plan::Range{not_negative(rows, "range_tensor"), std::move(shape)}, {});
}

} // namespace muster::data
