#include "optimizer/update_kernels.hpp"

#include "vectorised.hpp"

#include <cmath>

namespace muster::train {
namespace {

MUSTER_VECTORISED void sgd_plain(float* __restrict parameters,
                                 const float* __restrict gradients,
                                 std::size_t count,
                                 float rate,
                                 float weight_decay) {
    for (std::size_t i = 0; i < count; ++i) {
        parameters[i] -= rate * (gradients[i] + weight_decay * parameters[i]);
    }
}

MUSTER_VECTORISED void sgd_momentum(float* __restrict parameters,
                                    const float* __restrict gradients,
                                    float* __restrict velocity,
                                    std::size_t count,
                                    const SgdStep& step) {
    const SgdStep s = step;
    for (std::size_t i = 0; i < count; ++i) {
        const float gradient = gradients[i] + s.weight_decay * parameters[i];
        velocity[i] = s.kept * velocity[i] + gradient;
        parameters[i] -= s.rate * (s.of_gradient * gradient + s.of_velocity * velocity[i]);
    }
}

MUSTER_VECTORISED void adamw_loop(float* __restrict parameters,
                                  const float* __restrict gradients,
                                  float* __restrict first,
                                  float* __restrict second,
                                  std::size_t count,
                                  const AdamStep& step) {
    const AdamStep s = step;
    for (std::size_t i = 0; i < count; ++i) {
        const float gradient = gradients[i];
        first[i] = s.beta1 * first[i] + (1 - s.beta1) * gradient;
        second[i] = s.beta2 * second[i] + (1 - s.beta2) * gradient * gradient;
        const float root = std::sqrt(second[i]) * s.root_correction + s.epsilon;
        parameters[i] = s.kept * parameters[i] - s.rate * first[i] / root;
    }
}

} // namespace

void update_sgd(float* parameters,
                const float* gradients,
                float* velocity,
                std::size_t count,
                const SgdStep& step) {
    if (velocity == nullptr) {
        sgd_plain(parameters, gradients, count, step.rate, step.weight_decay);
    } else {
        sgd_momentum(parameters, gradients, velocity, count, step);
    }
}

void update_adamw(float* parameters,
                  const float* gradients,
                  float* first,
                  float* second,
                  std::size_t count,
                  const AdamStep& step) {
    adamw_loop(parameters, gradients, first, second, count, step);
}

} // namespace muster::train
