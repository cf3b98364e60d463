#include "digits_sweep/config.hpp"

#include <muster/base/random.hpp>

namespace digits {

namespace tune = muster::tune;

tune::SearchSpace search_space() {
    return {{"learning_rate", tune::loguniform(1e-3, 1.0)},
            {"batch_size", tune::choice({32, 64, 128})},
            {"layers", tune::randint(1, 4)},
            {"width", tune::choice({64, 128, 256})}};
}

TrialConfig
trial_config(const tune::Configuration& configuration, std::uint64_t seed, std::size_t trial) {
    return {.learning_rate = configuration["learning_rate"],
            .batch_size = configuration["batch_size"],
            .layers = configuration["layers"],
            .width = configuration["width"],
            .seed = muster::Random(seed, trial).next()};
}

std::size_t parameter_count(const TrialConfig& config) {
    const auto width = static_cast<std::size_t>(config.width);
    const auto layers = static_cast<std::size_t>(config.layers);
    return (std::size_t{pixels} + 1) * width + (layers - 1) * (width + 1) * width +
           (width + 1) * std::size_t{classes};
}

} // namespace digits
