#pragma once

#include <cstddef>

namespace muster::train {

/// The numbers of one step of SGD, the same for all elements.
struct SgdStep {
    float rate = 0;
    float weight_decay = 0;
    float kept = 0;        ///< Of the velocity, which is 0 at first: momentum.
    float of_gradient = 0; ///< Share of the gradient in the direction: 1 with Nesterov, else 0.
    float of_velocity = 1; ///< Share of the velocity: momentum with Nesterov, else 1.
};

struct AdamStep {
    float rate = 0; ///< Divided by the correction of the first moment.
    float kept = 1; ///< Of the parameter, by its decay.
    float beta1 = 0;
    float beta2 = 0;
    float root_correction = 1; ///< 1 / sqrt of the correction of the second moment.
    float epsilon = 0;
};

/// Arrays of `count` floats that do not overlap. `velocity` may be null where momentum is 0.
void update_sgd(float* parameters,
                const float* gradients,
                float* velocity,
                std::size_t count,
                const SgdStep& step);

void update_adamw(float* parameters,
                  const float* gradients,
                  float* first,
                  float* second,
                  std::size_t count,
                  const AdamStep& step);

} // namespace muster::train
