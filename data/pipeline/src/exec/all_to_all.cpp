// Streams that begin once all of their input is there: values of the cluster, which go to the disk
// where memory is full. Their tasks read, of each input block, the rows they need where they lie.

#include "exec/stream.hpp"
#include "kernel/gather.hpp"
#include "kernel/grouping.hpp"
#include "kernel/joining.hpp"
#include "kernel/keys.hpp"

#include <algorithm>
#include <memory>

namespace muster::data::exec {
namespace {

/// A stream that is made when its first block is asked for.
class LateStream final : public Stream {
public:
    explicit LateStream(std::function<StreamPtr()> make) : make_(std::move(make)) {}

    std::optional<Item> next() override {
        if (stream_ == nullptr) {
            stream_ = make_();
            make_ = nullptr;
        }
        return stream_->next();
    }

private:
    std::function<StreamPtr()> make_;
    StreamPtr stream_;
};

StreamPtr late(const plan::Stage& stage,
               const std::shared_ptr<Run>& run,
               StreamPtr (*make)(const plan::Stage&, const std::shared_ptr<Run>&)) {
    return std::make_unique<LateStream>([=] { return make(stage, run); });
}

std::uint64_t expected_bytes(const Collected& input, std::uint64_t parts) {
    return std::max<std::uint64_t>(1, input.bytes() / std::max<std::uint64_t>(1, parts));
}

std::uint64_t parts_of(const Collected& input, const Run& run) {
    return plan::merge_parts(
        input.bytes(), run.block_bytes, run.memory_bytes / run.stages, run.workers);
}

StreamPtr repartition_now(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    const StreamPtr source = make_stream(stage.inputs[0], run);
    Collected input = collect(*source, *run);
    const auto count = std::get<plan::Repartition>(stage.node->op).blocks;
    const plan::Pieces pieces(input.rows(), count);
    const auto rows = input.block_rows();
    const std::uint64_t expected = expected_bytes(input, count);
    return std::make_unique<TaskStream>(
        run,
        expected,
        [=,
         blocks = std::move(input.blocks),
         options = options_of(stage),
         chain = chain_of(stage),
         i = std::uint64_t{0}]() mutable -> std::optional<TaskStream::Asked> {
            if (i == pieces.size()) {
                return std::nullopt;
            }
            // Only the blocks it needs; for its columns one, if it has no rows.
            auto cuts = plan::locate(rows, pieces[i]);
            std::vector<Future<Block>> needed;
            for (plan::Cut& cut : cuts) {
                needed.push_back(blocks[cut.block]);
                cut.block = static_cast<std::uint32_t>(needed.size() - 1);
            }
            if (needed.empty() && !blocks.empty()) {
                needed.push_back(blocks.front());
            }
            return TaskStream::Asked{task<&cut_rows>.with(options)(needed, cuts, chain, i++)};
        });
}

/// Keys that cannot be compared are told from each other before anybody compares them.
void check_join(const Collected& input, const Merge& merge) {
    const auto some = [](auto begin, auto end) {
        const auto found =
            std::find_if(begin, end, [](const Block& block) { return !block.fields().empty(); });
        return found == end ? Block() : *found;
    };
    const auto middle = input.samples.begin() + static_cast<std::ptrdiff_t>(merge.left_blocks);
    kernel::check_join_keys(some(input.samples.begin(), middle),
                            some(middle, input.samples.end()),
                            merge.key_columns());
}

/// The parts of a merge, whose bounds are rows of key columns.
StreamPtr merge_parts_stream(const plan::Stage& stage,
                             const std::shared_ptr<Run>& run,
                             std::vector<Future<Block>> blocks,
                             const Block& bounds,
                             const Merge& merge,
                             std::uint64_t expected) {
    const std::uint64_t parts = bounds.rows() + 1;
    return std::make_unique<TaskStream>(
        run,
        expected,
        [blocks = std::move(blocks),
         stored_bounds = put(bounds),
         stored_merge = put(merge),
         parts,
         options = options_of(stage),
         chain = chain_of(stage),
         part = std::uint64_t{0}]() mutable -> std::optional<TaskStream::Asked> {
            if (part == parts) {
                blocks.clear();
                return std::nullopt;
            }
            return TaskStream::Asked{task<&merge_part>.with(options)(
                blocks, stored_bounds, stored_merge, part++, chain)};
        });
}

/// Rows of key columns that cut sorted blocks into parts of about equal size. Each block's sample
/// stands for as many rows as it has.
Block choose_bounds(const Collected& input, const std::vector<SortKey>& keys, std::uint64_t parts) {
    const Block samples = kernel::concat(input.samples);
    if (parts <= 1 || samples.rows() == 0) {
        return {};
    }
    std::vector<double> weights;
    for (std::size_t i = 0; i < input.samples.size(); ++i) {
        const std::uint64_t count = input.samples[i].rows();
        weights.insert(weights.end(),
                       count,
                       static_cast<double>(input.infos[i].rows) / static_cast<double>(count));
    }
    const kernel::Keys sample_keys(samples, keys, "sort");
    const auto order = kernel::sorted_order(sample_keys);
    const double step = static_cast<double>(input.rows()) / static_cast<double>(parts);
    std::vector<std::uint32_t> chosen;
    double before = 0;
    for (const std::uint32_t sample : order) {
        if (before >= step * static_cast<double>(chosen.size() + 1) && chosen.size() + 1 < parts &&
            (chosen.empty() || sample_keys.compare(chosen.back(), sample_keys, sample) != 0)) {
            chosen.push_back(sample);
        }
        before += weights[sample];
    }
    return kernel::gather(samples, chosen);
}

StreamPtr shuffle_now(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    const StreamPtr source = make_stream(stage.inputs[0], run);
    Collected input = collect(*source, *run);
    const std::uint64_t seed = std::get<plan::Shuffle>(stage.node->op).seed;
    const std::uint64_t total = input.rows();
    const std::uint64_t parts = std::min(std::max<std::uint64_t>(1, total), parts_of(input, *run));
    const std::uint64_t expected = expected_bytes(input, parts);
    const plan::Pieces pieces(total, parts);
    if (input.bytes() <= run->memory_bytes && total > 0) {
        // All of it is in memory: rows are taken from wherever they are.
        return std::make_unique<TaskStream>(
            run,
            expected,
            [=,
             blocks = std::move(input.blocks),
             options = options_of(stage),
             chain = chain_of(stage),
             i = std::uint64_t{0}]() mutable -> std::optional<TaskStream::Asked> {
                if (i == pieces.size()) {
                    blocks.clear();
                    return std::nullopt;
                }
                const plan::Piece piece = pieces[i];
                return TaskStream::Asked{
                    task<&shuffle_part>.with(options)(blocks, seed, piece, chain, i++)};
            });
    }
    // From the disk that would be a page for each row: each block is put in the order of the
    // result first, so that a part of that is a run of rows in each.
    std::vector<Future<Block>> placed;
    std::deque<Future<Block>> under_way;
    std::uint64_t first = 0;
    for (std::size_t i = 0; i < input.blocks.size(); ++i) {
        if (under_way.size() >= run->workers) {
            (void)wait(std::vector{under_way.front()});
            under_way.pop_front();
        }
        placed.push_back(task<&shuffle_positions>.with({.name = "random_shuffle"})(
            input.blocks[i], first, total, seed));
        under_way.push_back(placed.back());
        first += input.infos[i].rows;
        input.blocks[i] = {};
    }
    Block bounds;
    std::vector<std::uint64_t> positions;
    for (std::uint64_t i = 1; i < pieces.size(); ++i) {
        positions.push_back(pieces[i].first);
    }
    bounds.add("#position", positions);
    Merge merge;
    merge.keys = {SortKey("#position")};
    merge.drops = {"#position"};
    return merge_parts_stream(stage, run, std::move(placed), bounds, merge, expected);
}

StreamPtr merge_now(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    Merge merge;
    if (const auto* sort = std::get_if<plan::Sort>(&stage.node->op)) {
        merge.kind = sort->unique ? Merge::Kind::unique : Merge::Kind::sort;
        merge.keys = sort->keys;
    } else if (const auto* group = std::get_if<plan::Group>(&stage.node->op)) {
        merge.kind = Merge::Kind::group;
        merge.keys = kernel::ascending(group->keys);
        merge.aggregates = group->aggregates;
    } else {
        const auto& join = std::get<plan::Join>(stage.node->op);
        merge.kind = Merge::Kind::join;
        merge.keys = kernel::ascending(join.keys);
        merge.join = join.options;
    }
    Collected input;
    for (const plan::Stage& one : stage.inputs) {
        merge.left_blocks = input.blocks.size(); // in the end, those of the first of two
        const StreamPtr source = make_stream(one, run);
        Collected more = collect(*source, *run, merge.keys);
        std::move(more.blocks.begin(), more.blocks.end(), std::back_inserter(input.blocks));
        input.infos.insert(input.infos.end(), more.infos.begin(), more.infos.end());
        input.samples.insert(input.samples.end(), more.samples.begin(), more.samples.end());
    }
    if (merge.kind == Merge::Kind::join) {
        check_join(input, merge);
    }
    const std::uint64_t parts = merge.keys.empty() ? 1 : parts_of(input, *run);
    const Block bounds = choose_bounds(input, merge.keys, parts);
    const std::uint64_t expected = expected_bytes(input, bounds.rows() + 1);
    return merge_parts_stream(stage, run, std::move(input.blocks), bounds, merge, expected);
}

} // namespace

std::uint64_t Collected::rows() const {
    std::uint64_t sum = 0;
    for (const plan::BlockInfo& info : infos) {
        sum += info.rows;
    }
    return sum;
}

std::uint64_t Collected::bytes() const {
    std::uint64_t sum = 0;
    for (const plan::BlockInfo& info : infos) {
        sum += info.bytes;
    }
    return sum;
}

std::vector<std::uint64_t> Collected::block_rows() const {
    std::vector<std::uint64_t> rows;
    for (const plan::BlockInfo& info : infos) {
        rows.push_back(info.rows);
    }
    return rows;
}

Collected collect(Stream& stream, const Run& run, const std::vector<SortKey>& sample_keys) {
    Collected all;
    while (auto item = stream.next()) {
        Survey found = survey(run, *item, sample_keys);
        all.blocks.push_back(std::move(item->block));
        all.infos.push_back(found.info);
        all.samples.push_back(std::move(found.sample));
    }
    return all;
}

StreamPtr repartition_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    return late(stage, run, &repartition_now);
}

StreamPtr shuffle_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    return late(stage, run, &shuffle_now);
}

StreamPtr merge_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run) {
    return late(stage, run, &merge_now);
}

} // namespace muster::data::exec
