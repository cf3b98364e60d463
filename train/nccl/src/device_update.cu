#include <muster/base/error.hpp>
#include <muster/train/device_update.hpp>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace muster::train {
namespace {

constexpr unsigned threads = 256;

/// Enough blocks to fill any GPU; kernels stride over what is left.
unsigned blocks_for(std::size_t count) {
    return static_cast<unsigned>(std::clamp<std::size_t>((count + threads - 1) / threads, 1, 4096));
}

void check_launch(const char* kernel) {
    const cudaError_t code = cudaGetLastError();
    if (code != cudaSuccess) {
        throw Error(std::string(kernel) + " did not start: " + cudaGetErrorString(code));
    }
}

__global__ void adamw(float* __restrict__ parameters,
                      const float* __restrict__ gradients,
                      float* __restrict__ first,
                      float* __restrict__ second,
                      std::size_t count,
                      DeviceAdamW o,
                      float rate,
                      float root_correction) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
         i += stride) {
        const float gradient = o.gradient_factor * gradients[i];
        const float m = o.beta1 * first[i] + (1 - o.beta1) * gradient;
        const float v = o.beta2 * second[i] + (1 - o.beta2) * gradient * gradient;
        first[i] = m;
        second[i] = v;
        parameters[i] = (1 - o.rate * o.weight_decay) * parameters[i] -
                        rate * m / (sqrtf(v) * root_correction + o.epsilon);
    }
}

__global__ void sgd(float* __restrict__ parameters,
                    const float* __restrict__ gradients,
                    float* __restrict__ velocity,
                    std::size_t count,
                    DeviceSgd o) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
         i += stride) {
        const float gradient = o.gradient_factor * gradients[i] + o.weight_decay * parameters[i];
        const float v = o.momentum * velocity[i] + gradient;
        velocity[i] = v;
        parameters[i] -= o.rate * (o.is_nesterov ? gradient + o.momentum * v : v);
    }
}

} // namespace

void update_adamw_on_device(float* parameters,
                            const float* gradients,
                            float* first,
                            float* second,
                            std::size_t count,
                            const DeviceAdamW& options,
                            void* stream) {
    const double correction1 = 1 - std::pow(double{options.beta1}, options.step);
    const double correction2 = 1 - std::pow(double{options.beta2}, options.step);
    adamw<<<blocks_for(count), threads, 0, static_cast<cudaStream_t>(stream)>>>(
        parameters,
        gradients,
        first,
        second,
        count,
        options,
        static_cast<float>(options.rate / correction1),
        static_cast<float>(1 / std::sqrt(correction2)));
    check_launch("update_adamw_on_device");
}

void update_sgd_on_device(float* parameters,
                          const float* gradients,
                          float* velocity,
                          std::size_t count,
                          const DeviceSgd& options,
                          void* stream) {
    sgd<<<blocks_for(count), threads, 0, static_cast<cudaStream_t>(stream)>>>(
        parameters, gradients, velocity, count, options);
    check_launch("update_sgd_on_device");
}

} // namespace muster::train
