#include "compare.hpp"
#include "tensors.hpp"

#include <muster/base/error.hpp>
#include <muster/torch/module_reducer.hpp>
#include <muster/torch/state.hpp>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::train {
namespace {

using ::torch::autograd::variable_list;

/// Called when a parameter's gradient has been accumulated.
class AfterAccumulation : public ::torch::autograd::FunctionPostHook {
public:
    AfterAccumulation(std::function<void(std::size_t)> call, std::size_t parameter)
        : call_(std::move(call)), parameter_(parameter) {}

    variable_list operator()(const variable_list& outputs,
                             const variable_list& /*inputs*/) override {
        call_(parameter_);
        return outputs;
    }

private:
    std::function<void(std::size_t)> call_;
    std::size_t parameter_;
};

/// A shared_ptr or an intrusive_ptr of a node, as LibTorch's version has it. Tensors refer to their
/// node weakly, so it goes, and its hooks with it, unless somebody keeps it.
using Accumulator = decltype(::torch::autograd::impl::grad_accumulator(at::Tensor()));

struct Parameter {
    std::string name;
    at::Tensor tensor;
    Accumulator accumulator = {};
    std::uintptr_t hook = 0;
    bool is_used = false;   ///< Got a gradient since the last step.
    bool is_handed = false; ///< To the reducer, in this step.
    /// Of a parameter that this member did not use: where the others' average comes to.
    at::Tensor of_others = {};
};

/// Every tensor once, however many names it has.
std::vector<Parameter> trained_parameters(const ::torch::nn::Module& module) {
    std::vector<Parameter> parameters;
    for (const auto& item : module.named_parameters()) {
        const bool is_known = std::any_of(parameters.begin(), parameters.end(), [&](auto& other) {
            return other.tensor.is_same(item.value());
        });
        if (is_known || !item.value().defined() || !item.value().requires_grad()) {
            continue;
        }
        check_in_memory("parameter", item.key(), item.value());
        const auto type = item.value().scalar_type();
        if (type != at::kFloat && type != at::kDouble) {
            throw UsageError(fmt::format("parameter '{}' is {}; gradients are reduced as float32 "
                                         "or float64, so convert the module with to()",
                                         item.key(),
                                         type_name(item.value())));
        }
        parameters.push_back({.name = item.key(), .tensor = item.value()});
    }
    return parameters;
}

/// The gradients' sizes and types: where they are is known when they are there.
std::vector<ParameterView> shapes_of(const std::vector<Parameter>& parameters) {
    std::vector<ParameterView> views;
    for (const Parameter& parameter : parameters) {
        views.push_back(view_of(parameter.tensor));
    }
    return views;
}

std::vector<at::Tensor> buffers_of(const ::torch::nn::Module& module) {
    std::vector<at::Tensor> buffers;
    for (const auto& item : module.named_buffers()) {
        if (item.value().defined()) {
            check_in_memory("buffer", item.key(), item.value());
            buffers.push_back(item.value());
        }
    }
    return buffers;
}

void compare_modules(Communicator& communicator, const ::torch::nn::Module& module) {
    std::vector<std::string> items;
    for (const auto& item : module.named_parameters()) {
        items.push_back(fmt::format("parameter '{}', {}{}",
                                    item.key(),
                                    describe(item.value()),
                                    item.value().requires_grad() ? "" : ", frozen"));
    }
    for (const auto& item : module.named_buffers()) {
        items.push_back(fmt::format("buffer '{}', {}",
                                    item.key(),
                                    item.value().defined() ? describe(item.value()) : "none"));
    }
    compare_members(communicator, items);
}

} // namespace

class ModuleReducer::State {
public:
    State(Communicator& communicator, ::torch::nn::Module& module, DataParallelOptions options)
        : communicator_(communicator), module_(module), options_(options),
          parameters_(trained_parameters(module)), buffers_(buffers_of(module)),
          reducer_((compare_modules(communicator, module), communicator),
                   shapes_of(parameters_),
                   options.reducer) {
        std::vector<at::Tensor> all;
        for (const NamedTensor& item : state_of(module)) {
            all.push_back(item.tensor);
        }
        broadcast_tensors(communicator_, all, scratch_);
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            Parameter& parameter = parameters_[i];
            parameter.accumulator = ::torch::autograd::impl::grad_accumulator(parameter.tensor);
            parameter.hook = parameter.accumulator->add_post_hook(
                std::make_unique<AfterAccumulation>([this](std::size_t p) { on_gradient(p); }, i));
        }
    }

    State(const State&) = delete; // hooks point here
    State& operator=(const State&) = delete;

    ~State() {
        for (const Parameter& parameter : parameters_) {
            parameter.accumulator->del_post_hook(parameter.hook);
        }
    }

    void begin(std::uint64_t samples) {
        samples_ = samples;
        is_told_ = true;
    }

    void before_forward(std::uint64_t samples) {
        if (is_in_backward_) {
            throw UsageError("a forward pass was begun, but the backward pass before it had failed "
                             "half way; its gradients are lost, so end the gang");
        }
        if (!is_told_) {
            samples_ = samples;
        }
        share_buffers();
    }

    std::uint64_t skip() {
        if (is_paused_) {
            return 0;
        }
        share_buffers();
        reducer_.begin(accumulated_samples_);
        return finish(/*may_lack=*/true);
    }

    [[nodiscard]] std::uint64_t samples() const { return samples_of_all_; }

    void set_paused(bool is_paused) { is_paused_ = is_paused; }

private:
    void share_buffers() {
        if (options_.buffers == BufferPolicy::from_first && !is_paused_ && !are_buffers_shared_ &&
            module_.is_training()) {
            broadcast_tensors(communicator_, buffers_, scratch_);
            are_buffers_shared_ = true;
        }
    }

    /// In the thread that called backward(), as is what queue_callback() was given: it is called
    /// when the pass has ended, before backward() returns, which throws what it throws.
    void on_gradient(std::size_t index) {
        Parameter& parameter = parameters_[index];
        if (!is_in_backward_) {
            begin_backward(parameter);
        }
        parameter.is_used = parameter.is_used || parameter.tensor.grad().defined();
        if (!is_paused_ && options_.overlap && parameter.is_used) {
            hand_over(index);
        }
    }

    void begin_backward(const Parameter& parameter) {
        if (!samples_) {
            throw UsageError(fmt::format(
                "a backward pass came to parameter '{}', but no forward pass had said of how many "
                "samples; call the DistributedDataParallel, not the module in it, or begin()",
                parameter.name));
        }
        is_in_backward_ = true;
        ::torch::autograd::Engine::get_default_engine().queue_callback([this] { end_backward(); });
        if (!is_paused_) {
            reducer_.begin(accumulated_samples_ + *samples_);
        }
    }

    void end_backward() {
        is_in_backward_ = false;
        is_told_ = false;
        if (is_paused_) {
            accumulated_samples_ += samples_.value_or(0);
        } else {
            (void)finish(options_.find_unused);
        }
    }

    void hand_over(std::size_t index) {
        Parameter& parameter = parameters_[index];
        at::Tensor& gradient = parameter.tensor.mutable_grad();
        if (gradient.layout() != at::kStrided) {
            throw UsageError(fmt::format("the gradient of parameter '{}' is sparse; only dense "
                                         "ones are reduced, so make its layer without sparse(true)",
                                         parameter.name));
        }
        if (gradient.requires_grad()) {
            throw UsageError(fmt::format("the gradient of parameter '{}' has a graph of its own; "
                                         "call backward() without create_graph",
                                         parameter.name));
        }
        if (!gradient.is_contiguous()) {
            gradient = gradient.contiguous();
        }
        parameter.is_handed = true;
        reducer_.mark_ready(index, view_of(gradient));
    }

    /// Gives the reducer what it lacks, and waits for it.
    std::uint64_t finish(bool may_lack) {
        // From the last one on: the order in which a backward pass would have come to them.
        for (std::size_t index = parameters_.size(); index-- > 0;) {
            if (parameters_[index].is_used && !parameters_[index].is_handed) {
                hand_over(index);
            }
        }
        if (!may_lack) {
            check_complete();
        }
        for (std::size_t index = parameters_.size(); index-- > 0;) {
            if (!parameters_[index].is_handed) {
                hand_over_nothing(index);
            }
        }
        samples_of_all_ = reducer_.finish();
        std::vector<std::uint8_t> used(parameters_.size());
        for (std::size_t index = 0; index < used.size(); ++index) {
            used[index] = parameters_[index].is_used ? 1 : 0;
        }
        if (options_.find_unused) {
            communicator_.all_reduce(std::span(used), ReduceOp::max);
        } else {
            std::fill(used.begin(), used.end(), samples_of_all_ > 0 ? 1 : 0);
        }
        for (std::size_t index = 0; index < used.size(); ++index) {
            Parameter& parameter = parameters_[index];
            if (!parameter.is_used && used[index] != 0) {
                parameter.tensor.mutable_grad() = parameter.of_others;
            }
            parameter.of_others = at::Tensor();
            parameter.is_used = parameter.is_handed = false;
        }
        accumulated_samples_ = 0;
        are_buffers_shared_ = false;
        return samples_of_all_;
    }

    void hand_over_nothing(std::size_t index) {
        Parameter& parameter = parameters_[index];
        const at::NoGradGuard no_grad;
        parameter.of_others = at::zeros_like(parameter.tensor);
        reducer_.mark_ready(index, view_of(parameter.of_others));
    }

    void check_complete() const {
        constexpr std::size_t named_max = 5;
        std::vector<std::string> missing;
        for (const Parameter& parameter : parameters_) {
            if (!parameter.is_handed) {
                missing.push_back(fmt::format("'{}'", parameter.name));
            }
        }
        if (missing.empty()) {
            return;
        }
        std::string names = missing.front();
        for (std::size_t i = 1; i < std::min(missing.size(), named_max); ++i) {
            names += ", " + missing[i];
        }
        throw UsageError(fmt::format(
            "{} of {} parameters got no gradient in this step: {}{}; if the loss need not depend "
            "on all of them, set DataParallelOptions::find_unused on every member",
            missing.size(),
            parameters_.size(),
            names,
            missing.size() > named_max ? fmt::format(" and {} more", missing.size() - named_max)
                                       : ""));
    }

    Communicator& communicator_;
    ::torch::nn::Module& module_;
    DataParallelOptions options_;
    std::vector<Parameter> parameters_;
    std::vector<at::Tensor> buffers_;
    std::vector<std::byte> scratch_; ///< Of broadcasts.
    GradientReducer reducer_;

    bool is_paused_ = false;
    bool is_in_backward_ = false;
    bool are_buffers_shared_ = false;       ///< In this step.
    bool is_told_ = false;                  ///< By begin(), for this backward pass.
    std::optional<std::uint64_t> samples_;  ///< Of the last forward pass.
    std::uint64_t accumulated_samples_ = 0; ///< Of backward passes since the last step.
    std::uint64_t samples_of_all_ = 0;
};

ModuleReducer::ModuleReducer(Communicator& communicator,
                             ::torch::nn::Module& module,
                             DataParallelOptions options)
    : state_(std::make_unique<State>(communicator, module, options)) {
}

ModuleReducer::ModuleReducer(ModuleReducer&&) noexcept = default;
ModuleReducer::~ModuleReducer() = default;

void ModuleReducer::begin(std::uint64_t samples) {
    state_->begin(samples);
}

void ModuleReducer::before_forward(std::uint64_t samples) {
    state_->before_forward(samples);
}

std::uint64_t ModuleReducer::skip() {
    return state_->skip();
}

std::uint64_t ModuleReducer::samples() const {
    return state_->samples();
}

void ModuleReducer::pause() {
    state_->set_paused(true);
}

void ModuleReducer::resume() {
    state_->set_paused(false);
}

} // namespace muster::train
