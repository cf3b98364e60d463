#pragma once

#include <muster/core/communicator.hpp>
#include <muster/train/parameter.hpp>

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::train {

/// The memory of a tensor that is contiguous and on the CPU.
[[nodiscard]] std::span<std::byte> bytes_of(const at::Tensor& tensor);

/// The same as numbers; float and double only.
[[nodiscard]] ParameterView view_of(const at::Tensor& tensor);

/// "float32", as numpy calls it.
[[nodiscard]] std::string type_name(const at::Tensor& tensor);

/// "float32 [512, 784]"
[[nodiscard]] std::string describe(const at::Tensor& tensor);

/// Throws UsageError for what has no memory of one's own to send: "parameter 'x' is …".
void check_in_memory(std::string_view kind, const std::string& name, const at::Tensor& tensor);

/// Gives all members the tensors of member 0, in one message. Collective.
/// @param scratch  Kept by the caller, so that it is not made anew each time.
void broadcast_tensors(Communicator& communicator,
                       const std::vector<at::Tensor>& tensors,
                       std::vector<std::byte>& scratch);

} // namespace muster::train
