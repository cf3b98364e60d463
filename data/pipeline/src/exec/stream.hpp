#pragma once

#include "exec/tasks.hpp"
#include "plan/cuts.hpp"
#include "plan/plan.hpp"

#include <muster/core/muster.hpp>
#include <muster/pipeline/options.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

/// Blocks that are being made, one stage after another: each pulls from those before it. On the
/// driver, one thread.
namespace muster::data::exec {

/// What all stages of a run share.
struct Run {
    std::uint64_t memory_bytes = 0; ///< For everything outstanding.
    std::uint64_t block_bytes = 0;
    std::uint64_t workers = 1;     ///< CPUs there are.
    std::uint64_t stages = 1;      ///< That share the memory.
    bool one_node = true;          ///< Every block can be read in place by the driver.
    std::uint64_t outstanding = 0; ///< Bytes asked for and not let go of.
    ExecutionStats stats;

    void change(std::uint64_t from, std::uint64_t to) {
        outstanding = outstanding - from + to;
        stats.bytes_outstanding_max = std::max(stats.bytes_outstanding_max, outstanding);
    }
};

/// A block that was asked for: outstanding, with as many bytes as it is expected to have or is
/// known to, until the last copy of this is gone.
class Charge {
public:
    Charge(std::shared_ptr<Run> run, std::shared_ptr<plan::Window> window)
        : run_(std::move(run)), window_(std::move(window)), bytes_(window_->expected_bytes()) {
        run_->change(0, bytes_);
    }

    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;

    ~Charge() { run_->change(bytes_, 0); }

    void learn(std::uint64_t bytes) {
        run_->change(bytes_, bytes);
        bytes_ = bytes;
        window_->observe(bytes);
    }

private:
    std::shared_ptr<Run> run_;
    std::shared_ptr<plan::Window> window_;
    std::uint64_t bytes_;
};

struct Item {
    Future<Block> block;
    std::shared_ptr<Charge> charge{}; ///< None: it is kept by others anyway.
};

class Stream {
public:
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual ~Stream() = default;
    /// The next block, which need not be there yet; nothing after the last.
    virtual std::optional<Item> next() = 0;
};

using StreamPtr = std::unique_ptr<Stream>;

/// A block that the driver wants to know the size of. Waits for it.
[[nodiscard]] Survey
survey(const Run& run, const Item& item, const std::vector<SortKey>& keys = {});

/// Tasks, of which so many are under way as the window has room for; their blocks in order.
///
/// `ask` submits the next one, or gives nothing when there is no more; `hold` of what it gives is
/// kept until that block is done: the charges of its inputs.
class TaskStream final : public Stream {
public:
    struct Asked {
        Future<Block> block;
        std::vector<Item> hold{};
    };

    using Ask = std::function<std::optional<Asked>()>;

    TaskStream(std::shared_ptr<Run> run, std::uint64_t expected_bytes, Ask ask);
    ~TaskStream() override;

    std::optional<Item> next() override;

private:
    void fill();

    struct UnderWay {
        Item item;
        std::vector<Item> hold;
    };

    std::shared_ptr<Run> run_;
    std::shared_ptr<plan::Window> window_;
    Ask ask_;
    std::deque<UnderWay> under_way_;
    std::deque<UnderWay> handed_on_; ///< Not done, perhaps: they still hold their inputs.
    bool ended_ = false;
};

/// The blocks of a stage, begun when first asked for.
[[nodiscard]] StreamPtr make_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run);

/// As TaskOptions, for tasks of this stage.
[[nodiscard]] TaskOptions options_of(const plan::Stage& stage);

[[nodiscard]] Future<Chain> chain_of(const plan::Stage& stage);

/// All blocks of a stage, kept: what all-to-all operators begin with.
struct Collected {
    std::vector<Future<Block>> blocks;
    std::vector<plan::BlockInfo> infos;
    std::vector<Block> samples; ///< Of each, if keys were asked for.

    [[nodiscard]] std::uint64_t rows() const;
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::vector<std::uint64_t> block_rows() const;
};

[[nodiscard]] Collected
collect(Stream& stream, const Run& run, const std::vector<SortKey>& sample_keys = {});

/// The streams of all-to-all operators, each of which collects its input when first asked.
[[nodiscard]] StreamPtr repartition_stream(const plan::Stage& stage,
                                           const std::shared_ptr<Run>& run);
[[nodiscard]] StreamPtr shuffle_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run);
[[nodiscard]] StreamPtr merge_stream(const plan::Stage& stage, const std::shared_ptr<Run>& run);

/// Stored blocks, as Stored::values points to them.
using StoredBlocks = std::vector<Future<Block>>;

[[nodiscard]] std::shared_ptr<Run> start_run(const ExecutionOptions& options,
                                             const plan::Stage& stage);

} // namespace muster::data::exec
