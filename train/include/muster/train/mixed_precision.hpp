#pragma once

#include <muster/train/backend.hpp>

#include <cstdint>
#include <span>

namespace muster::train {

struct LossScalerOptions {
    double initial_scale = 65536;
    double growth = 2; ///< After so many good steps in a row:
    std::uint64_t growth_interval = 2000;
    double backoff = 0.5; ///< After one that overflowed.
    double minimum = 1;
};

/// Keeps float16 gradients from vanishing: losses are multiplied by scale() before the backward
/// pass, gradients divided by it after. A step whose gradients are not finite is left out, and the
/// scale lowered; after many good ones it grows.
///
/// Deterministic: members that see the same flags keep the same scale.
/// Source: Micikevicius et al., "Mixed Precision Training", ICLR 2018, section 3.2, and the dynamic
/// scaling of its successors.
class LossScaler {
public:
    explicit LossScaler(LossScalerOptions options = {})
        : options_(options), scale_(options.initial_scale) {}

    [[nodiscard]] double scale() const noexcept { return scale_; }

    /// After a step. @param is_finite  Of all members' gradients.
    /// @return whether the step may be taken.
    bool update(bool is_finite) noexcept;

private:
    LossScalerOptions options_;
    double scale_;
    std::uint64_t good_steps_ = 0;
};

/// The sum of squares, in double; not finite if an element is not, and only then.
[[nodiscard]] double sum_of_squares(std::span<const float> values);

/// What gradients must be multiplied with for a norm of at most `norm_max`, given the sum of all
/// squares. 1 where they are shorter, or not finite.
/// Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
/// ICML 2013, algorithm 1.
[[nodiscard]] double clip_factor(double sum_of_squares, double norm_max);

/// Divides gradients that all members have alike by their common norm, if it is above `norm_max`.
/// @return the norm before.
double clip_by_global_norm(std::span<const std::span<float>> gradients, double norm_max);

} // namespace muster::train
