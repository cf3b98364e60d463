#pragma once

#include "digits_sweep/digits_data.hpp"
#include "digits_sweep/mlp.hpp"

#include <muster/core/communicator.hpp>
#include <muster/train/gradient_reducer.hpp>

namespace digits {

/// The learning rate when `progress` (0 to 1) of all training is done: half a cosine from `peak`
/// down to 0. Large steps first and small ones last gain about a point of accuracy on unseen
/// images over a constant rate, and make the result depend less on the rate drawn.
/// Source: Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
[[nodiscard]] double cosine_rate(double peak, double progress);

/// Trains a network data-parallel on a gang.
///
/// Each batch is shared out to the members; each computes the gradient of its piece, and all make
/// the same step with the average over the batch. So every member has the whole network, all have
/// the same bits, and a gang of any size takes the same steps, but for rounding. A layer's gradient
/// is on its way to the others while those of the layers before it are computed.
///
/// Collective throughout: every member makes the same calls. They throw as the communicator's do
/// when a member ends or the task is asked to stop.
class Trainer {
public:
    /// @param data    Outlives the trainer.
    /// @param epochs  Of the whole training, which the learning rate is spread over.
    Trainer(muster::Communicator& ranks,
            const TrialConfig& config,
            const DigitsData& data,
            Part part,
            int epochs);

    /// Where training starts: initial_state() as member 0 has it.
    [[nodiscard]] ModelState initial_state();

    /// Trains one more epoch, the one after state.epoch; on all members from the same state.
    /// Same state, file and number of members, bitwise the same result.
    void train_epoch(ModelState& state);

private:
    muster::Communicator& ranks_;
    TrialConfig config_;
    int epochs_;
    muster::data::BatchLoader loader_; ///< Of this member's pieces.
    std::vector<float> gradient_;
    muster::train::GradientReducer reducer_; ///< Of gradient_, one parameter for each layer.
};

/// Judges a network on all of a part, each member on its piece. Collective.
[[nodiscard]] Evaluation evaluate_part(muster::Communicator& ranks,
                                       const TrialConfig& config,
                                       const ModelState& state,
                                       const DigitsData& data,
                                       Part part);

} // namespace digits
