#pragma once

#include "digits_sweep/digits_data.hpp"
#include "digits_sweep/mlp.hpp"

namespace digits {

/// The learning rate when `progress` (0 to 1) of all training is done: half a cosine from `peak`
/// down to 0. Large steps first and small ones last gain about a point of accuracy on unseen
/// images over a constant rate, and make the result depend less on the rate drawn.
/// Source: Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
[[nodiscard]] double cosine_rate(double peak, double progress);

/// Trains one more epoch, the one after state.epoch, of `epochs` in all.
/// Same arguments and file, bitwise the same result, on any rank and in any process.
[[nodiscard]] ModelState train_epoch(
    const TrialConfig& config, ModelState state, const DigitsData& data, Part part, int epochs);

/// Judges a network on all of a part.
[[nodiscard]] Evaluation evaluate_part(const TrialConfig& config,
                                       const ModelState& state,
                                       const DigitsData& data,
                                       Part part);

} // namespace digits
