#pragma once

#include <muster/tune/configuration.hpp>
#include <muster/tune/search_space.hpp>

#include <cstddef>
#include <cstdint>

namespace digits {

inline constexpr int pixels = 28 * 28;
inline constexpr int classes = 10;

/// Everything that decides how a network is trained, and so what comes out.
struct TrialConfig {
    double learning_rate = 0.01;
    int batch_size = 64; ///< Images in a step, over all members of the gang.
    int layers = 1;      ///< Hidden layers.
    int width = 128;     ///< Units in each hidden layer.
    std::uint64_t seed = 0;
};

/// What the search may vary.
[[nodiscard]] muster::tune::SearchSpace search_space();

/// A point of search_space(), as trial number `trial` of the search `seed`: these decide its first
/// weights and the order of its images.
[[nodiscard]] TrialConfig trial_config(const muster::tune::Configuration& configuration,
                                       std::uint64_t seed,
                                       std::size_t trial);

/// Weights and biases of the network of `config`.
[[nodiscard]] std::size_t parameter_count(const TrialConfig& config);

} // namespace digits
