#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace muster {

/// SplitMix64's finaliser: a cheap bijective mix of 64 bits.
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
/// fig. 16.
constexpr std::uint64_t mix64(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/// A seeded generator whose sequence is the same with every compiler and library.
///
/// SplitMix64 (source as for mix64). The distributions are members, because the standard ones
/// differ between libraries and would make runs irreproducible.
class Random {
public:
    explicit constexpr Random(std::uint64_t seed) : state_(mix64(seed + golden_gamma)) {}

    /// A generator for stream `stream` of `seed`: independent of the others for practical purposes.
    constexpr Random(std::uint64_t seed, std::uint64_t stream)
        : state_(mix64(mix64(seed + golden_gamma) ^ mix64(stream * golden_gamma + 1))) {}

    constexpr std::uint64_t next() {
        state_ += golden_gamma;
        return mix64(state_);
    }

    /// Uniform in [0, bound); bound > 0. Unbiased.
    /// Source: Lemire, "Fast Random Integer Generation in an Interval", TOMACS 2019, section 4.
    constexpr std::uint64_t below(std::uint64_t bound) {
        __extension__ using Wide = unsigned __int128;
        Wide product = static_cast<Wide>(next()) * bound;
        auto low = static_cast<std::uint64_t>(product);
        if (low < bound) {
            const std::uint64_t threshold = (0 - bound) % bound;
            while (low < threshold) {
                product = static_cast<Wide>(next()) * bound;
                low = static_cast<std::uint64_t>(product);
            }
        }
        return static_cast<std::uint64_t>(product >> 64);
    }

    /// Uniform in [low, high], both included.
    constexpr std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
    }

    /// Uniform in [0, 1), 53 bits.
    constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

    constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }

    /// Uniform on a logarithmic scale in [low, high); 0 < low < high.
    double log_uniform(double low, double high) {
        return std::exp(uniform(std::log(low), std::log(high)));
    }

    /// Standard normal, by Box and Muller (Ann. Math. Stat. 29, 1958); two draws per value.
    double normal() {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        return radius * std::cos(6.283185307179586 * uniform());
    }

    constexpr bool chance(double probability) { return uniform() < probability; }

    /// Fisher and Yates' shuffle.
    template <class T>
    constexpr void shuffle(std::span<T> items) {
        for (std::size_t i = items.size(); i > 1; --i) {
            std::swap(items[i - 1], items[below(i)]);
        }
    }

private:
    static constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15ULL;
    std::uint64_t state_;
};

} // namespace muster
