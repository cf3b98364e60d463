#include "tensors.hpp"

#include <muster/base/error.hpp>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <cstring>

namespace muster::train {

std::span<std::byte> bytes_of(const at::Tensor& tensor) {
    return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

ParameterView view_of(const at::Tensor& tensor) {
    const auto count = static_cast<std::size_t>(tensor.numel());
    if (tensor.scalar_type() == at::kFloat) {
        return std::span(static_cast<float*>(tensor.data_ptr()), count);
    }
    return std::span(static_cast<double*>(tensor.data_ptr()), count);
}

std::string type_name(const at::Tensor& tensor) {
    switch (tensor.scalar_type()) {
    case at::kFloat:
        return "float32";
    case at::kDouble:
        return "float64";
    case at::kHalf:
        return "float16";
    case at::kBFloat16:
        return "bfloat16";
    case at::kByte:
        return "uint8";
    case at::kChar:
        return "int8";
    case at::kShort:
        return "int16";
    case at::kInt:
        return "int32";
    case at::kLong:
        return "int64";
    case at::kBool:
        return "bool";
    default:
        return c10::toString(tensor.scalar_type());
    }
}

std::string describe(const at::Tensor& tensor) {
    const auto sizes = tensor.sizes();
    return fmt::format("{} [{}]", type_name(tensor), fmt::join(sizes.begin(), sizes.end(), ", "));
}

void check_in_memory(std::string_view kind, const std::string& name, const at::Tensor& tensor) {
    if (tensor.layout() != at::kStrided) {
        throw UsageError(fmt::format(
            "{} '{}' is sparse; only dense tensors are reduced, so make it dense", kind, name));
    }
    if (!tensor.device().is_cpu()) {
        throw UsageError(fmt::format("{} '{}' is on {}; only tensors on the CPU are reduced, so "
                                     "move the module there with to(torch::kCPU)",
                                     kind,
                                     name,
                                     tensor.device().str()));
    }
    if (!tensor.is_contiguous()) {
        throw UsageError(fmt::format(
            "{} '{}' is not contiguous in memory; give the module a tensor made by contiguous()",
            kind,
            name));
    }
}

void broadcast_tensors(Communicator& communicator,
                       const std::vector<at::Tensor>& tensors,
                       std::vector<std::byte>& scratch) {
    std::size_t size = 0;
    for (const at::Tensor& tensor : tensors) {
        size += tensor.nbytes();
    }
    if (communicator.size() == 1 || size == 0) {
        return;
    }
    scratch.resize(size);
    const auto each = [&](const auto& copy) {
        std::byte* at = scratch.data();
        for (const at::Tensor& tensor : tensors) {
            const auto bytes = bytes_of(tensor);
            if (!bytes.empty()) {
                copy(bytes, at);
            }
            at += bytes.size();
        }
    };
    if (communicator.rank() == 0) {
        each([](auto bytes, std::byte* at) { std::memcpy(at, bytes.data(), bytes.size()); });
    }
    communicator.broadcast(std::span(reinterpret_cast<std::uint8_t*>(scratch.data()), size), 0);
    if (communicator.rank() != 0) {
        each([](auto bytes, std::byte* at) { std::memcpy(bytes.data(), at, bytes.size()); });
    }
}

} // namespace muster::train
