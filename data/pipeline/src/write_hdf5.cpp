// A pipeline's rows as a table in shards: runs of blocks, each written by a task while the next
// ones are being made.

#include "exec/execution.hpp"
#include "exec/open_tables.hpp"
#include "exec/stream.hpp"

#include <muster/data/writer.hpp>
#include <muster/pipeline/pipeline.hpp>

#include <fmt/format.h>

#include <deque>

namespace muster::data {
namespace {

std::vector<NewColumn> columns_of(const Block& block, const Compression& compression) {
    std::vector<NewColumn> columns;
    for (const Field& field : block.fields()) {
        NewColumn column;
        column.name = field.name;
        column.type = exec::element_type_of_value(field.type);
        column.row_shape = field.shape;
        column.compression = compression;
        columns.push_back(std::move(column));
    }
    return columns;
}

ShardSummary write_shard(const std::string& path,
                         std::uint32_t shard,
                         const std::vector<Block>& blocks,
                         bool replace,
                         const Compression& compression) {
    ShardWriter writer(path, shard, columns_of(blocks.front(), compression), {.replace = replace});
    for (const Block& block : blocks) {
        if (block.fields() != blocks.front().fields()) {
            throw Error(fmt::format("write_hdf5: blocks differ in their columns: {}; and: {}",
                                    describe(blocks.front().fields()),
                                    describe(block.fields())),
                        ErrorCode::usage);
        }
        std::vector<std::vector<std::string>> texts;
        texts.reserve(block.fields().size());
        std::vector<ColumnBlock> values;
        for (std::size_t i = 0; i < block.fields().size(); ++i) {
            const Field& field = block.fields()[i];
            ColumnBlock column;
            column.column = field.name;
            column.type = exec::element_type_of_value(field.type);
            column.elements = block.rows() * field.elements();
            if (field.type == ValueType::text) {
                const Texts all = block.texts_at(i);
                auto& strings = texts.emplace_back();
                for (std::uint64_t row = 0; row < all.size(); ++row) {
                    strings.emplace_back(all[row]);
                }
                column.strings = strings;
            } else {
                column.values = block.values(i).data();
            }
            values.push_back(column);
        }
        writer.append(values);
    }
    return writer.finish();
}

/// Blocks until they make a shard, and the shards under way.
class Shards {
public:
    Shards(const exec::Run& run, std::string path, const WriteHdf5Options& options)
        : under_way_max_(run.workers), path_(std::move(path)), options_(options) {}

    void add(exec::Item item, std::uint64_t bytes) {
        bytes_ += bytes;
        pending_.push_back(std::move(item));
        if (bytes_ >= options_.shard_bytes) {
            submit();
        }
    }

    std::vector<ShardSummary> finish() {
        if (!pending_.empty()) {
            submit();
        }
        while (!under_way_.empty()) {
            take_one();
        }
        return std::move(done_);
    }

private:
    struct UnderWay {
        Future<ShardSummary> summary;
        std::vector<exec::Item> blocks; ///< Outstanding until they are written.
    };

    void submit() {
        if (under_way_.size() == under_way_max_) {
            take_one();
        }
        std::vector<Future<Block>> blocks;
        for (const exec::Item& item : pending_) {
            blocks.push_back(item.block);
        }
        under_way_.push_back({task<&write_shard>.with({.name = "write_hdf5"})(
                                  path_, shard_++, blocks, options_.replace, options_.compression),
                              std::move(pending_)});
        pending_.clear();
        bytes_ = 0;
    }

    void take_one() {
        done_.push_back(under_way_.front().summary.get());
        under_way_.pop_front();
    }

    std::uint64_t under_way_max_;
    std::string path_;
    WriteHdf5Options options_;
    std::uint32_t shard_ = 0;
    std::uint64_t bytes_ = 0;
    std::vector<exec::Item> pending_;
    std::deque<UnderWay> under_way_;
    std::vector<ShardSummary> done_;
};

} // namespace

std::uint64_t Pipeline::write_hdf5(const std::filesystem::path& file,
                                   const WriteHdf5Options& options) const {
    const plan::Stage stage = plan::make_stages(node_, exec::own_steps());
    const auto run = exec::start_run(options_, stage);
    const exec::StreamPtr stream = exec::make_stream(stage, run);
    Shards shards(*run, std::filesystem::absolute(file).string(), options);
    std::optional<exec::Item> empty; // for its columns, if nothing else comes
    bool has_rows = false;
    while (auto item = stream->next()) {
        const plan::BlockInfo info = exec::survey(*run, *item).info;
        if (info.rows > 0) {
            has_rows = true;
            shards.add(*std::move(item), info.bytes);
        } else if (!has_rows && !empty && !item->block.get().fields().empty()) {
            empty = std::move(item);
        }
    }
    if (!has_rows && empty) {
        shards.add(*std::move(empty), 0);
    }
    const auto summaries = shards.finish();
    if (summaries.empty()) {
        throw Error(fmt::format("write_hdf5: {}: there are no rows, and no block that would tell "
                                "the columns of none",
                                file.string()),
                    ErrorCode::usage);
    }
    return commit(file, summaries, {.replace = options.replace}).rows;
}

} // namespace muster::data
