#pragma once

#include <muster/tune/search_space.hpp>

#include <cstddef>
#include <cstdint>

namespace muster::tune {

/// Random search: every trial an independent draw from the space.
///
/// Counter-based: a value is a function of (seed, trial, parameter's name and domain) alone. So the
/// configurations of a study are the same whatever the order in which trials start and the number
/// of ranks, trials can be added, and adding or moving a parameter leaves the others as they were.
/// (Logarithmic scales use the C library's exp and log, whose last bit may differ between systems.)
///
/// Source: Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012.
class RandomSampler {
public:
    RandomSampler(SearchSpace space, std::uint64_t seed) : space_(std::move(space)), seed_(seed) {}

    /// The configuration of a trial; trials are numbered from 0.
    [[nodiscard]] Configuration sample(std::size_t trial) const;

private:
    SearchSpace space_;
    std::uint64_t seed_;
};

} // namespace muster::tune
