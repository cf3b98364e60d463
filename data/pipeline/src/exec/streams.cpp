// Streams that begin with the first block of their input.

#include "exec/open_tables.hpp"
#include "exec/stream.hpp"

#include <muster/pipeline/detail/block_pool.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data::exec {
namespace {

constexpr std::uint64_t default_memory_max = std::uint64_t{1} << 30;

std::uint64_t streaming_stages(const plan::Stage& stage) {
    std::uint64_t count = 1;
    for (const plan::Stage& input : stage.inputs) {
        count += streaming_stages(input);
    }
    return count;
}

std::uint64_t default_memory() {
    std::uint64_t values = 0;
    for (const RankMemory& rank : memory_report().ranks) {
        values += rank.memory_max;
    }
    constexpr std::uint64_t least = std::uint64_t{256} << 20;
    return std::clamp(values / 4, least, default_memory_max);
}

StreamPtr read_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    const auto& read = std::get<plan::ReadFile>(stage.node->op);
    const Table table = open_table(read.file, stage.read.columns);
    std::uint64_t row_bytes = 0;
    for (const Field& field : fields_of(table, stage.read.columns)) {
        constexpr std::uint64_t expected_text = 32;
        row_bytes += field.type == ValueType::text ? expected_text : field.row_bytes();
    }
    const std::uint64_t first = std::min(stage.read.first_row, table.rows());
    const std::uint64_t rows = std::min(stage.read.rows, table.rows() - first);
    const plan::Pieces pieces = plan::pieces(rows, row_bytes, run->block_bytes);
    const std::uint64_t expected = pieces[0].rows * row_bytes;
    return std::make_unique<TaskStream>(
        run,
        expected,
        [=,
         file = read.file,
         options = options_of(stage),
         chain = chain_of(stage),
         columns = stage.read.columns,
         i = std::uint64_t{0}]() mutable -> std::optional<TaskStream::Asked> {
            if (i == pieces.size()) {
                return std::nullopt;
            }
            plan::Piece piece = pieces[i];
            piece.first += first;
            return TaskStream::Asked{
                task<&read_rows>.with(options)(file, columns, piece, chain, i++)};
        });
}

StreamPtr range_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    const auto& range = std::get<plan::Range>(stage.node->op);
    const std::uint64_t row_bytes = Field{"data", ValueType::int64, range.shape}.row_bytes();
    const plan::Pieces pieces = plan::pieces(range.rows, row_bytes, run->block_bytes);
    const std::uint64_t expected = pieces[0].rows * row_bytes;
    return std::make_unique<TaskStream>(
        run,
        expected,
        [=,
         shape = range.shape,
         options = options_of(stage),
         chain = chain_of(stage),
         i = std::uint64_t{0}]() mutable -> std::optional<TaskStream::Asked> {
            if (i == pieces.size()) {
                return std::nullopt;
            }
            const plan::Piece piece = pieces[i];
            return TaskStream::Asked{task<&make_range>.with(options)(shape, piece, chain, i++)};
        });
}

class StoredStream final : public Stream {
public:
    explicit StoredStream(const plan::Stored& stored)
        : blocks_(std::static_pointer_cast<const StoredBlocks>(stored.values)) {}

    std::optional<Item> next() override {
        if (next_ == blocks_->size()) {
            return std::nullopt;
        }
        return Item{(*blocks_)[next_++]};
    }

private:
    std::shared_ptr<const StoredBlocks> blocks_;
    std::size_t next_ = 0;
};

/// Functions of blocks that another stage makes.
StreamPtr apply_stream(const plan::Stage& stage,
                       const std::shared_ptr<Run>& run,
                       std::shared_ptr<Stream> input,
                       std::uint64_t expected) {
    return std::make_unique<TaskStream>(
        run,
        expected,
        [input = std::move(input),
         options = options_of(stage),
         chain = chain_of(stage),
         i = std::uint64_t{0}]() mutable -> std::optional<TaskStream::Asked> {
            auto item = input->next();
            if (!item) {
                return std::nullopt;
            }
            TaskStream::Asked asked{task<&run_steps>.with(options)(item->block, chain, i++)};
            asked.hold.push_back(*std::move(item));
            return asked;
        });
}

std::uint64_t largest(const plan::Stored& stored) {
    std::uint64_t bytes = 1;
    for (const plan::BlockInfo& block : stored.blocks) {
        bytes = std::max(bytes, block.bytes);
    }
    return bytes;
}

StreamPtr actor_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    const auto& actors = std::get<plan::Actors>(stage.node->op);
    const auto maker = std::static_pointer_cast<const detail::BlockPoolMaker>(actors.pool);
    std::shared_ptr<Stream> input = make_stream(stage.inputs[0], run);
    std::shared_ptr<detail::BlockPool> pool = maker->make();
    return std::make_unique<TaskStream>(
        run, run->block_bytes, [input, pool]() -> std::optional<TaskStream::Asked> {
            auto item = input->next();
            if (!item) {
                return std::nullopt;
            }
            TaskStream::Asked asked{pool->submit(item->block)};
            asked.hold.push_back(*std::move(item));
            return asked;
        });
}

class LimitStream final : public Stream {
public:
    LimitStream(std::shared_ptr<Run> run, StreamPtr input, std::uint64_t rows)
        : run_(std::move(run)), input_(std::move(input)), left_(rows) {}

    std::optional<Item> next() override {
        if (input_ == nullptr) {
            return std::nullopt;
        }
        if (left_ == 0 && gave_one_) {
            input_.reset(); // nothing more of it starts
            return std::nullopt;
        }
        auto item = input_->next();
        if (!item) {
            input_.reset();
            return std::nullopt;
        }
        gave_one_ = true;
        const std::uint64_t rows = survey(*run_, *item).info.rows;
        if (rows > left_) {
            item->block =
                task<&cut_rows>.with({.name = "limit"})(std::vector<Future<Block>>{item->block},
                                                        std::vector<plan::Cut>{{0, 0, left_}},
                                                        Chain{},
                                                        std::uint64_t{0});
            left_ = 0;
        } else {
            left_ -= rows;
        }
        if (left_ == 0) {
            input_.reset();
        }
        return item;
    }

private:
    std::shared_ptr<Run> run_;
    StreamPtr input_;
    std::uint64_t left_;
    bool gave_one_ = false; ///< For its columns, even if no rows are wanted.
};

class UnionStream final : public Stream {
public:
    UnionStream(const plan::Stage& stage, std::shared_ptr<Run> run)
        : stages_(stage.inputs), run_(std::move(run)) {}

    std::optional<Item> next() override {
        while (at_ < stages_.size()) {
            if (input_ == nullptr) {
                input_ = make_stream(stages_[at_], run_);
            }
            if (auto item = input_->next()) {
                return item;
            }
            input_.reset();
            ++at_;
        }
        return std::nullopt;
    }

private:
    std::vector<plan::Stage> stages_;
    std::shared_ptr<Run> run_;
    StreamPtr input_;
    std::size_t at_ = 0;
};

/// One side of a zip: its block under way, and how far it has been used.
struct ZipSide {
    std::shared_ptr<Stream> stream;
    std::shared_ptr<Run> run;
    std::optional<Item> item{};
    std::uint64_t rows = 0;  ///< Of the item.
    std::uint64_t used = 0;  ///< Of those.
    std::uint64_t total = 0; ///< Of all items until now.

    /// @return false at the end.
    bool fill() {
        while (!item || used == rows) {
            item = stream->next();
            if (!item) {
                return false;
            }
            rows = survey(*run, *item).info.rows;
            used = 0;
            total += rows;
        }
        return true;
    }

    std::uint64_t count_all() {
        while (fill()) {
            used = rows;
        }
        return total;
    }
};

StreamPtr zip_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    ZipSide left{make_stream(stage.inputs[0], run), run};
    ZipSide right{make_stream(stage.inputs[1], run), run};
    return std::make_unique<TaskStream>(
        run,
        run->block_bytes,
        [left,
         right,
         options = options_of(stage),
         chain = chain_of(stage),
         i = std::uint64_t{0}]() mutable -> std::optional<TaskStream::Asked> {
            const bool more_left = left.fill();
            const bool more_right = right.fill();
            if (more_left != more_right) {
                throw Error(fmt::format("zip: the left side has {} rows, and the right one {}; "
                                        "limit() the longer one if that is meant",
                                        left.count_all(),
                                        right.count_all()),
                            ErrorCode::usage);
            }
            if (!more_left) {
                return std::nullopt;
            }
            const std::uint64_t rows = std::min(left.rows - left.used, right.rows - right.used);
            TaskStream::Asked asked{task<&zip_rows>.with(options)(
                left.item->block, left.used, right.item->block, right.used, rows, chain, i++)};
            asked.hold = {*left.item, *right.item};
            left.used += rows;
            right.used += rows;
            return asked;
        });
}

} // namespace

TaskStream::TaskStream(std::shared_ptr<Run> run, std::uint64_t expected_bytes, Ask ask)
    : run_(std::move(run)), window_(std::make_shared<plan::Window>(
                                run_->memory_bytes / run_->stages, run_->workers, expected_bytes)),
      ask_(std::move(ask)) {
}

TaskStream::~TaskStream() {
    for (const UnderWay& one : under_way_) {
        try {
            cancel(one.item.block);
        } catch (...) {
            // The run has ended: there is nothing to be cancelled.
        }
    }
}

void TaskStream::fill() {
    // What was handed on counts until it is let go of: somebody holds its block still.
    std::erase_if(handed_on_, [](const UnderWay& one) {
        return one.item.charge.use_count() == 1 && one.item.block.ready();
    });
    while (!ended_ &&
           (under_way_.empty() || window_->has_room(under_way_.size() + handed_on_.size()))) {
        auto asked = ask_();
        if (!asked) {
            ended_ = true;
            ask_ = nullptr; // lets go of the input
            return;
        }
        ++run_->stats.tasks;
        under_way_.push_back({{std::move(asked->block), std::make_shared<Charge>(run_, window_)},
                              std::move(asked->hold)});
    }
}

std::optional<Item> TaskStream::next() {
    fill();
    if (under_way_.empty()) {
        return std::nullopt;
    }
    window_->grow();
    UnderWay first = std::move(under_way_.front());
    under_way_.pop_front();
    Item item = first.item;
    if (!first.hold.empty() && !item.block.ready()) {
        handed_on_.push_back(std::move(first));
    } else {
        handed_on_.push_back({std::move(first.item), {}});
    }
    return item;
}

Survey survey(const Run& run, const Item& item, const std::vector<SortKey>& keys) {
    Survey found;
    if (run.one_node) {
        found = survey_block(item.block.get(), keys);
    } else {
        found = task<&survey_block>.with({.cpus = 0, .priority = 1})(item.block, keys).get();
    }
    if (item.charge) {
        item.charge->learn(found.info.bytes);
    }
    return found;
}

TaskOptions options_of(const plan::Stage& stage) {
    TaskOptions options;
    options.cpus = stage.cpus;
    options.gpus = stage.gpus;
    options.name = stage.name();
    return options;
}

Future<Chain> chain_of(const plan::Stage& stage) {
    return put(Chain{stage.steps});
}

StreamPtr make_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    struct Maker {
        const plan::Stage& stage;
        const std::shared_ptr<Run>& run;

        StreamPtr operator()(const plan::ReadFile&) const { return read_stream(stage, run); }

        StreamPtr operator()(const plan::Range&) const { return range_stream(stage, run); }

        StreamPtr operator()(const plan::Stored& stored) const {
            auto blocks = std::make_unique<StoredStream>(stored);
            if (stage.steps.empty()) {
                return blocks;
            }
            return apply_stream(stage, run, std::move(blocks), largest(stored));
        }

        StreamPtr operator()(const plan::Apply&) const {
            const auto* const stored = std::get_if<plan::Stored>(&stage.inputs[0].node->op);
            return apply_stream(stage,
                                run,
                                make_stream(stage.inputs[0], run),
                                stored != nullptr ? largest(*stored) : run->block_bytes);
        }

        StreamPtr operator()(const plan::Actors&) const { return actor_stream(stage, run); }

        StreamPtr operator()(const plan::Limit& limit) const {
            return std::make_unique<LimitStream>(
                run, make_stream(stage.inputs[0], run), limit.rows);
        }

        StreamPtr operator()(const plan::Union&) const {
            return std::make_unique<UnionStream>(stage, run);
        }

        StreamPtr operator()(const plan::Zip&) const { return zip_stream(stage, run); }

        StreamPtr operator()(const plan::Repartition&) const {
            return repartition_stream(stage, run);
        }

        StreamPtr operator()(const plan::Shuffle&) const { return shuffle_stream(stage, run); }

        StreamPtr operator()(const plan::Sort&) const { return merge_stream(stage, run); }

        StreamPtr operator()(const plan::Group&) const { return merge_stream(stage, run); }

        StreamPtr operator()(const plan::Join&) const { return merge_stream(stage, run); }
    };

    return std::visit(Maker{stage, run}, stage.node->op);
}

std::shared_ptr<Run> start_run(const ExecutionOptions& options, const plan::Stage& stage) {
    const ClusterInfo here = cluster();
    auto run = std::make_shared<Run>();
    run->memory_bytes = options.memory_bytes != 0 ? options.memory_bytes : default_memory();
    run->block_bytes = std::max<std::uint64_t>(1, options.block_bytes);
    run->workers =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(here.capacity.cpus.value()));
    run->stages = streaming_stages(stage);
    run->one_node = here.nodes == 1;
    run->stats.memory_bytes = run->memory_bytes;
    return run;
}

} // namespace muster::data::exec
