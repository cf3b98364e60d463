#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace muster::train {

/// The rule by which parameters follow gradients, with what it remembers of one flat piece of them.
///
/// An element's update depends on its own gradient and state only: pieces may be updated apart.
/// Threads: one at a time.
class Optimizer {
public:
    Optimizer() = default;
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;
    virtual ~Optimizer() = default;

    /// One step. All calls get the same elements, in the same order; gradients are read only.
    virtual void step(std::span<float> parameters, std::span<const float> gradients) = 0;

    virtual void set_learning_rate(double rate) noexcept = 0;

    /// Memory of its state, from the first step on.
    [[nodiscard]] virtual std::uint64_t held_bytes() const noexcept = 0;
};

/// Makes the optimizer of a piece.
using OptimizerFactory = std::function<std::unique_ptr<Optimizer>()>;

struct SgdOptions {
    double learning_rate = 0.01;
    double momentum = 0; ///< 0: none, and no state.
    bool is_nesterov = false;
    double weight_decay = 0; ///< Added to the gradient, times the parameter.
};

/// g += weight_decay p;  v = momentum v + g (at first v = g);  p -= rate (v, or with Nesterov
/// g + momentum v).
/// Source: Sutskever et al., "On the importance of initialization and momentum in deep learning",
/// ICML 2013, with the rate outside of v, as PyTorch has it.
[[nodiscard]] OptimizerFactory sgd(SgdOptions options);

struct AdamWOptions {
    double learning_rate = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.01; ///< Of the parameter itself, per unit of rate.
};

/// Adam with decoupled weight decay; two floats of state per element.
/// Source: Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
[[nodiscard]] OptimizerFactory adamw(AdamWOptions options);

} // namespace muster::train
