#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace torch::optim {
class Optimizer;
}

namespace muster::train {

/// One tensor of a module's state.
struct NamedTensor {
    std::string name; ///< "conv1.weight", as in Python.
    at::Tensor tensor;
};

/// The memory of a tensor of a state, to be written to a checkpoint or read from one.
struct NamedSpan {
    std::string name;
    std::string type; ///< "float32", "int64" and so on, as numpy calls them.
    std::vector<std::int64_t> shape;
    std::span<std::byte> bytes; ///< Row-major.
};

/// Parameters, then buffers: the module's own tensors, not copies. The same names in the same order
/// on every member.
[[nodiscard]] std::vector<NamedTensor> state_of(const ::torch::nn::Module& module);

/// The same as memory: what is written there is the module's state. Until the module is changed or
/// goes.
/// @throws UsageError for a tensor that is not contiguous, or on a GPU.
[[nodiscard]] std::vector<NamedSpan> state_spans(const ::torch::nn::Module& module);

/// Copies tensors into the module's by name.
/// @throws UsageError, before anything is changed, for a name that is missing on either side, or a
///         shape or type that differs.
void load_state(::torch::nn::Module& module, std::span<const NamedTensor> state);

/// An optimizer's state (momentum and the like), in LibTorch's own format. Not for optimizers of
/// another version of LibTorch.
[[nodiscard]] std::vector<std::byte> optimizer_state(const ::torch::optim::Optimizer& optimizer);
void load_optimizer_state(::torch::optim::Optimizer& optimizer, std::span<const std::byte> state);

} // namespace muster::train
