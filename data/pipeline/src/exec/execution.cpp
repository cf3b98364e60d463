#include "exec/execution.hpp"

#include "exec/stream.hpp"
#include "kernel/gather.hpp"

#include <muster/pipeline/batches.hpp>

#include <deque>

namespace muster::data {
namespace exec {
namespace {

class DriverExecution final : public detail::Execution {
public:
    DriverExecution(const plan::Stage& stage, const ExecutionOptions& options)
        : run_(start_run(options, stage)), stream_(make_stream(stage, run_)) {}

    std::optional<Block> next() override {
        auto item = stream_->next();
        if (!item) {
            return std::nullopt;
        }
        Block block = item->block.get();
        if (item->charge) {
            item->charge->learn(block.size_bytes());
        }
        charges_.push_back(std::move(item->charge));
        ++run_->stats.blocks;
        return block;
    }

    void done_with_oldest() override { charges_.pop_front(); }

    [[nodiscard]] ExecutionStats stats() const override { return run_->stats; }

private:
    std::shared_ptr<Run> run_;
    std::deque<std::shared_ptr<Charge>> charges_; ///< Of the blocks that the consumer has.
    StreamPtr stream_;
};

} // namespace

std::unique_ptr<detail::Execution> start(const plan::NodePtr& node,
                                         const ExecutionOptions& options) {
    return std::make_unique<DriverExecution>(plan::make_stages(node, own_steps()), options);
}

plan::Stored collect_blocks(const plan::NodePtr& node, const ExecutionOptions& options) {
    if (const auto* stored = std::get_if<plan::Stored>(&node->op)) {
        return *stored;
    }
    const plan::Stage stage = plan::make_stages(node, own_steps());
    const auto run = start_run(options, stage);
    const StreamPtr stream = make_stream(stage, run);
    Collected all = collect(*stream, *run);
    return {std::make_shared<const StoredBlocks>(std::move(all.blocks)), std::move(all.infos)};
}

} // namespace exec

std::optional<Block> Batches::next() {
    for (; given_back_ > 0; --given_back_) {
        execution_->done_with_oldest();
    }
    const std::uint64_t wanted = batch_size_ == 0 ? 1 : batch_size_;
    while (!ended_ && rows_ < wanted) {
        auto block = execution_->next();
        if (!block) {
            ended_ = true;
        } else if (block->rows() == 0) {
            execution_->done_with_oldest();
        } else {
            rows_ += block->rows();
            waiting_.push_back(*std::move(block));
        }
    }
    if (rows_ == 0) {
        return std::nullopt;
    }
    std::uint64_t missing = std::min(rows_, batch_size_ == 0 ? waiting_.front().rows() : wanted);
    std::vector<Block> parts;
    while (missing > 0) {
        Block& front = waiting_.front();
        const std::uint64_t count = std::min(missing, front.rows() - first_);
        parts.push_back(front.slice(first_, count));
        missing -= count;
        rows_ -= count;
        first_ += count;
        if (first_ == front.rows()) {
            waiting_.pop_front();
            first_ = 0;
            ++given_back_;
        }
    }
    return parts.size() == 1 ? std::move(parts.front()) : kernel::concat(parts);
}

} // namespace muster::data
