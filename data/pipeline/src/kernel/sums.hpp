#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace muster::data::kernel {

/// The sum of all values, as S, of several sums of every so manieth value: what the processor adds
/// at once. The order of additions depends on the number of values only.
template <class S, class T>
[[nodiscard]] S sum_of(std::span<const T> values) {
    constexpr std::size_t lanes = 32;
    S sums[lanes] = {};
    std::size_t at = 0;
    if constexpr (std::is_same_v<S, double> && std::is_arithmetic_v<T> &&
                  !std::is_same_v<T, bool>) {
        constexpr std::size_t width = 4;
        typedef double Sum __attribute__((vector_size(width * sizeof(double))));
        typedef T Part __attribute__((vector_size(width * sizeof(T))));
        Sum vectors[lanes / width] = {};
        for (; at + lanes <= values.size(); at += lanes) {
            for (std::size_t i = 0; i < lanes / width; ++i) {
                Part part;
                std::memcpy(&part, values.data() + at + i * width, sizeof(part));
                vectors[i] += __builtin_convertvector(part, Sum);
            }
        }
        std::memcpy(sums, vectors, sizeof(sums));
    } else {
        for (; at + lanes <= values.size(); at += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                sums[lane] += static_cast<S>(values[at + lane]);
            }
        }
    }
    for (std::size_t lane = 0; at < values.size(); ++at, ++lane) {
        sums[lane] += static_cast<S>(values[at]);
    }
    S sum{};
    for (const S part : sums) {
        sum += part;
    }
    return sum;
}

} // namespace muster::data::kernel
