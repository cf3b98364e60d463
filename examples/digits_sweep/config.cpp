#include "digits_sweep/config.hpp"

#include <muster/base/random.hpp>

#include <array>

namespace digits {

TrialConfig sample_config(std::uint64_t seed, int id) {
    constexpr std::array batch_sizes{32, 64, 128};
    constexpr std::array widths{64, 128, 256};
    muster::Random random(seed, static_cast<std::uint64_t>(id));
    TrialConfig config;
    config.id = id;
    config.learning_rate = random.log_uniform(1e-4, 1e-1);
    config.batch_size = batch_sizes[random.below(batch_sizes.size())];
    config.layers = static_cast<int>(random.between(1, 3));
    config.width = widths[random.below(widths.size())];
    config.seed = random.next();
    return config;
}

std::size_t parameter_count(const TrialConfig& config) {
    const auto width = static_cast<std::size_t>(config.width);
    const auto layers = static_cast<std::size_t>(config.layers);
    return (std::size_t{pixels} + 1) * width + (layers - 1) * (width + 1) * width +
           (width + 1) * std::size_t{classes};
}

} // namespace digits
