#pragma once

#include <muster/train/backend.hpp>
#include <muster/train/mixed_precision.hpp>
#include <muster/train/optimizer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace muster::train {

/// What is split among the members, each of whom then holds one n-th of it.
enum class Sharding : std::uint8_t {
    none,
    state,      ///< The optimizer's memory (ZeRO stage 1).
    gradients,  ///< And gradients (stage 2).
    parameters, ///< And parameters, which are gathered while a layer computes (stage 3).
};

struct ShardedOptions {
    Sharding sharding = Sharding::state;
    std::optional<double> norm_max{};           ///< Gradients are clipped to this global norm.
    std::optional<LossScalerOptions> scaling{}; ///< Losses are scaled: see loss_scale().
    /// State in the CPU's memory. All is there: of no effect, yet.
    bool is_state_offloaded = false;
};

/// Memory that a member holds, in bytes.
struct HeldBytes {
    std::uint64_t parameters = 0;
    std::uint64_t gradients = 0;
    std::uint64_t state = 0;

    [[nodiscard]] std::uint64_t total() const { return parameters + gradients + state; }
};

/// The parameters of a model, its gradients and its optimizer, split among the members of a gang.
///
///     for (each step) {
///         model.begin(rows.size());
///         for (layers, first to last) {
///             compute with model.gather(layer);  model.release(layer);
///         }
///         for (layers, last to first) {
///             compute into model.gradient(layer), with model.gather(layer);
///             model.reduce(layer);  model.release(layer);
///         }
///         model.step();
///     }
///
/// The same calls do for every sharding, and lead to the same parameters but for rounding. A layer
/// is a flat span of floats; member r owns the r-th of n equal parts, padded with zeros. Averages
/// are over samples, as GradientReducer's.
///
/// Per step a member sends: `none` and `state`, an all_reduce per layer; from `gradients` on a
/// reduce_scatter instead, half of it; `state` and `gradients`, an all_gather per layer after the
/// update, the other half; `parameters`, one each time a layer is gathered. All start while other
/// layers compute, but at most two full gradients are alive from `gradients` on: reduce() waits for
/// those before.
///
/// Collective: members make the same calls in the same order. Threads: the back end's.
/// Source: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter
/// Models", SC 2020, sections 5 and 7.
class ShardedModel {
public:
    /// @param backend  Borrowed.
    /// @param layers   Elements of each. Parameters begin as zeros: see assign().
    ShardedModel(Backend& backend,
                 std::vector<std::size_t> layers,
                 const OptimizerFactory& optimizer,
                 ShardedOptions options = {});

    ShardedModel(const ShardedModel&) = delete;
    ShardedModel& operator=(const ShardedModel&) = delete;
    ~ShardedModel();

    /// The parameters become those that member 0 passes. Between steps.
    void assign(std::size_t layer, std::span<const float> values);

    /// Starts to gather a layer, so that gather() need not wait.
    void prefetch(std::size_t layer);

    /// The parameters of a layer, to be read until release(), or, unless they are sharded, the next
    /// step().
    [[nodiscard]] std::span<const float> gather(std::size_t layer);

    /// Gives up a gathered layer's memory. Of no effect unless parameters are sharded.
    void release(std::size_t layer);

    /// Starts a step: this member's gradients will be averages over so many samples; with 0 they
    /// count nothing.
    void begin(std::uint64_t samples);

    /// Where a layer's gradient is to be written; zeros at first. Until reduce().
    [[nodiscard]] std::span<float> gradient(std::size_t layer);

    /// The gradient of a layer is complete. Every layer once in a step.
    void reduce(std::size_t layer);

    struct Step {
        std::uint64_t samples = 0;  ///< Of all members.
        std::optional<double> norm; ///< Of all gradients before clipping, if that was computed.
        bool is_taken = true;       ///< False if gradients were not finite, or no one had samples.
    };

    /// Waits for gradients and updates the parameters.
    /// @throws UsageError if a layer was not reduced.
    Step step();

    /// What losses are to be multiplied with; 1 without ShardedOptions::scaling.
    [[nodiscard]] double loss_scale() const { return scaler_ ? scaler_->scale() : 1; }

    void set_learning_rate(double rate);

    [[nodiscard]] HeldBytes held() const;

    /// The most that held().total() was at any time, while layers were gathered and reduced.
    [[nodiscard]] std::uint64_t peak_bytes() const { return peak_bytes_; }

private:
    struct Layer {
        std::size_t elements = 0;
        std::size_t part = 0;        ///< Of a member.
        std::vector<float> full;     ///< Parameters; empty unless gathered, where sharded.
        std::vector<float> shard;    ///< Parameters, where sharded.
        std::vector<float> gradient; ///< Of the whole layer.
        std::vector<float> reduced;  ///< This member's part, where gradients are sharded.
        std::unique_ptr<Optimizer> optimizer;
        bool is_reduced = false;
        Event gathering; ///< After what they work on.
        Event reducing;
    };

    [[nodiscard]] bool shards(Sharding what) const { return options_.sharding >= what; }

    Layer& at(std::size_t layer);
    [[nodiscard]] std::span<float> own(std::vector<float>& full, const Layer& layer) const;
    [[nodiscard]] std::span<float> parameters_to_update(Layer& layer) const;
    [[nodiscard]] std::span<float> gradients_to_use(Layer& layer) const;
    void finish_reducing(Layer& layer);
    [[nodiscard]] double squares_of_all();
    void note_peak();

    Backend& backend_;
    ShardedOptions options_;
    std::optional<LossScaler> scaler_;
    std::vector<Layer> layers_;
    std::vector<std::size_t> under_way_; ///< Layers whose full gradients are being reduced.
    std::uint64_t peak_bytes_ = 0;

    // The step.
    bool is_running_ = false;
    std::uint64_t samples_ = 0;
    std::uint64_t samples_of_all_ = 0;
    Event samples_event_;
};

} // namespace muster::train
