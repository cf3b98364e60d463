#include <muster/train/mixed_precision.hpp>

#include <algorithm>
#include <cmath>

namespace muster::train {

bool LossScaler::update(bool is_finite) noexcept {
    if (!is_finite) {
        scale_ = std::max(options_.minimum, scale_ * options_.backoff);
        good_steps_ = 0;
        return false;
    }
    if (++good_steps_ >= options_.growth_interval) {
        scale_ *= options_.growth;
        good_steps_ = 0;
    }
    return true;
}

// Squares of floats fit into double: 2^128 squared is 2^256. Four sums, for the adder's latency.
double sum_of_squares(std::span<const float> values) {
    double sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 <= values.size(); i += 4) {
        for (std::size_t k = 0; k < 4; ++k) {
            sums[k] += double{values[i + k]} * double{values[i + k]};
        }
    }
    for (; i < values.size(); ++i) {
        sums[0] += double{values[i]} * double{values[i]};
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

double clip_factor(double sum_of_squares, double norm_max) {
    const double norm = std::sqrt(sum_of_squares);
    return std::isfinite(norm) && norm > norm_max ? norm_max / norm : 1;
}

double clip_by_global_norm(std::span<const std::span<float>> gradients, double norm_max) {
    double sum = 0;
    for (const std::span<float> gradient : gradients) {
        sum += sum_of_squares(gradient);
    }
    const double factor = clip_factor(sum, norm_max);
    if (factor != 1) {
        for (const std::span<float> gradient : gradients) {
            for (float& value : gradient) {
                value = static_cast<float>(double{value} * factor);
            }
        }
    }
    return std::sqrt(sum);
}

} // namespace muster::train
