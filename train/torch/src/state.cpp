#include "tensors.hpp"

#include <muster/base/error.hpp>
#include <muster/torch/state.hpp>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>
#include <torch/serialize.h>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace muster::train {

std::vector<NamedTensor> state_of(const ::torch::nn::Module& module) {
    std::vector<NamedTensor> state;
    for (const auto& item : module.named_parameters()) {
        state.push_back({item.key(), item.value()});
    }
    for (const auto& item : module.named_buffers()) {
        if (item.value().defined()) {
            state.push_back({item.key(), item.value()});
        }
    }
    return state;
}

std::vector<NamedSpan> state_spans(const ::torch::nn::Module& module) {
    std::vector<NamedSpan> spans;
    for (const auto& [name, tensor] : state_of(module)) {
        check_in_memory("tensor", name, tensor);
        const auto sizes = tensor.sizes();
        spans.push_back({.name = name,
                         .type = type_name(tensor),
                         .shape = {sizes.begin(), sizes.end()},
                         .bytes = bytes_of(tensor)});
    }
    return spans;
}

void load_state(::torch::nn::Module& module, std::span<const NamedTensor> state) {
    const std::vector<NamedTensor> own = state_of(module);
    const auto find = [](const auto& tensors, const std::string& name) {
        return std::find_if(
            tensors.begin(), tensors.end(), [&](const NamedTensor& t) { return t.name == name; });
    };
    for (const auto& [name, tensor] : state) {
        const auto to = find(own, name);
        if (to == own.end()) {
            throw UsageError(fmt::format(
                "the state to be loaded has a tensor '{}', which the module has not; is it that of "
                "another module?",
                name));
        }
        if (!to->tensor.sizes().equals(tensor.sizes()) ||
            to->tensor.scalar_type() != tensor.scalar_type()) {
            throw UsageError(fmt::format("tensor '{}' of the state to be loaded is {}, but the "
                                         "module's is {}",
                                         name,
                                         describe(tensor),
                                         describe(to->tensor)));
        }
    }
    for (const NamedTensor& to : own) {
        if (find(state, to.name) == state.end()) {
            throw UsageError(fmt::format(
                "the state to be loaded lacks the module's tensor '{}', {}; is it that of another "
                "module?",
                to.name,
                describe(to.tensor)));
        }
    }
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : state) {
        at::Tensor(find(own, name)->tensor).copy_(tensor);
    }
}

std::vector<std::byte> optimizer_state(const ::torch::optim::Optimizer& optimizer) {
    ::torch::serialize::OutputArchive archive;
    optimizer.save(archive);
    std::ostringstream out;
    archive.save_to(out);
    const std::string text = out.str();
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

void load_optimizer_state(::torch::optim::Optimizer& optimizer, std::span<const std::byte> state) {
    ::torch::serialize::InputArchive archive;
    archive.load_from(reinterpret_cast<const char*>(state.data()), state.size());
    optimizer.load(archive);
}

} // namespace muster::train
