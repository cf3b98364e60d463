#pragma once

#include <cstddef>
#include <cstdint>

namespace digits {

inline constexpr int pixels = 28 * 28;
inline constexpr int classes = 10;

/// One point of the search: everything that decides how a network is trained, and what comes out.
struct TrialConfig {
    int id = 0;
    double learning_rate = 0.01;
    int batch_size = 64;
    int layers = 1;  ///< Hidden layers.
    int width = 128; ///< Units in each hidden layer.
    std::uint64_t seed = 0;
};

/// Trial `id` of the random search `seed`: learning rate log-uniform in [1e-4, 1e-1), batch size
/// 32, 64 or 128, one to three hidden layers of 64, 128 or 256 units.
/// Depends on its arguments only, not on how many trials there are.
/// Source: Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012.
[[nodiscard]] TrialConfig sample_config(std::uint64_t seed, int id);

/// Weights and biases of the network of `config`.
[[nodiscard]] std::size_t parameter_count(const TrialConfig& config);

} // namespace digits
