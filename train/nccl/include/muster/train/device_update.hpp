#pragma once

#include <cstddef>

/// Updates of parameters in a GPU's memory, one fused kernel each, put on a cudaStream_t; arrays of
/// `count` floats there. In the library where it was built with nvcc. Formulas: optimizer.hpp.
namespace muster::train {

struct DeviceAdamW {
    float rate = 1e-3F;
    float beta1 = 0.9F;
    float beta2 = 0.999F;
    float epsilon = 1e-8F;
    float weight_decay = 0.01F;
    float gradient_factor = 1; ///< Of clipping and loss scaling, applied on the way.
    int step = 1;              ///< From 1: of the moments' corrections.
};

/// `first` and `second` are 0 before step 1. @throws Error (failed) if the kernel cannot start.
void update_adamw_on_device(float* parameters,
                            const float* gradients,
                            float* first,
                            float* second,
                            std::size_t count,
                            const DeviceAdamW& options,
                            void* stream);

struct DeviceSgd {
    float rate = 0.01F;
    float momentum = 0;
    float weight_decay = 0;
    float gradient_factor = 1;
    bool is_nesterov = false;
};

/// `velocity` is 0 before the first step.
void update_sgd_on_device(float* parameters,
                          const float* gradients,
                          float* velocity,
                          std::size_t count,
                          const DeviceSgd& options,
                          void* stream);

} // namespace muster::train
