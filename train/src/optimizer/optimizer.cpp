#include "optimizer/update_kernels.hpp"

#include <muster/base/error.hpp>
#include <muster/train/optimizer.hpp>

#include <fmt/format.h>

#include <cmath>
#include <vector>

namespace muster::train {
namespace {

/// State is as large as the parameters of the first step, and so are those of all others.
void size_state(std::vector<float>& state, std::size_t parameters, std::size_t gradients) {
    if (state.empty()) {
        state.resize(parameters);
    }
    if (parameters != gradients || state.size() != parameters) {
        throw UsageError(fmt::format(
            "an optimizer of {} elements was given {} parameters and {} gradients; one optimizer "
            "is for one piece",
            state.size(),
            parameters,
            gradients));
    }
}

class Sgd final : public Optimizer {
public:
    explicit Sgd(const SgdOptions& options) : options_(options) {}

    void step(std::span<float> parameters, std::span<const float> gradients) override {
        const bool has_momentum = options_.momentum != 0;
        if (has_momentum) {
            size_state(velocity_, parameters.size(), gradients.size());
        }
        const auto momentum = static_cast<float>(options_.momentum);
        update_sgd(parameters.data(),
                   gradients.data(),
                   has_momentum ? velocity_.data() : nullptr,
                   parameters.size(),
                   {.rate = static_cast<float>(options_.learning_rate),
                    .weight_decay = static_cast<float>(options_.weight_decay),
                    .kept = momentum,
                    .of_gradient = options_.is_nesterov ? 1.0F : 0.0F,
                    .of_velocity = options_.is_nesterov ? momentum : 1.0F});
    }

    void set_learning_rate(double rate) noexcept override { options_.learning_rate = rate; }

    std::uint64_t held_bytes() const noexcept override { return velocity_.size() * sizeof(float); }

private:
    SgdOptions options_;
    std::vector<float> velocity_;
};

class AdamW final : public Optimizer {
public:
    explicit AdamW(const AdamWOptions& options) : options_(options) {}

    void step(std::span<float> parameters, std::span<const float> gradients) override {
        size_state(first_, parameters.size(), gradients.size());
        second_.resize(parameters.size());
        power1_ *= options_.beta1;
        power2_ *= options_.beta2;
        const double rate = options_.learning_rate;
        update_adamw(parameters.data(),
                     gradients.data(),
                     first_.data(),
                     second_.data(),
                     parameters.size(),
                     {.rate = static_cast<float>(rate / (1 - power1_)),
                      .kept = static_cast<float>(1 - rate * options_.weight_decay),
                      .beta1 = static_cast<float>(options_.beta1),
                      .beta2 = static_cast<float>(options_.beta2),
                      .root_correction = static_cast<float>(1 / std::sqrt(1 - power2_)),
                      .epsilon = static_cast<float>(options_.epsilon)});
    }

    void set_learning_rate(double rate) noexcept override { options_.learning_rate = rate; }

    std::uint64_t held_bytes() const noexcept override {
        return (first_.size() + second_.size()) * sizeof(float);
    }

private:
    AdamWOptions options_;
    std::vector<float> first_;
    std::vector<float> second_;
    double power1_ = 1; ///< beta1 to the power of the steps.
    double power2_ = 1;
};

} // namespace

OptimizerFactory sgd(SgdOptions options) {
    return [options] { return std::make_unique<Sgd>(options); };
}

OptimizerFactory adamw(AdamWOptions options) {
    return [options] { return std::make_unique<AdamW>(options); };
}

} // namespace muster::train
