#include "backend/narrow_sum.hpp"

#include <array>

namespace muster::train {
namespace {

template <class T>
void sum_parts(const T* parts, std::size_t count, T* result, std::size_t size) {
    constexpr std::size_t block = 2048; // of floats: both arrays stay in the first cache
    std::array<float, block> sum;
    std::array<float, block> addend;
    for (std::size_t begin = 0; begin < size; begin += block) {
        const std::size_t length = std::min(block, size - begin);
        const std::span<float> sums(sum.data(), length);
        widen(std::span<const T>(parts + begin, length), sums);
        for (std::size_t part = 1; part < count; ++part) {
            widen(std::span<const T>(parts + part * size + begin, length),
                  std::span<float>(addend.data(), length));
            for (std::size_t i = 0; i < length; ++i) {
                sum[i] += addend[i];
            }
        }
        narrow(std::span<const float>(sums), std::span<T>(result + begin, length));
    }
}

} // namespace

void sum_narrow_parts(ElementType type,
                      std::span<const std::uint16_t> parts,
                      std::span<std::uint16_t> result) {
    if (result.empty()) {
        return;
    }
    MUSTER_ASSERT(parts.size() % result.size() == 0);
    const std::size_t count = parts.size() / result.size();
    static_assert(sizeof(Float16) == 2 && sizeof(BFloat16) == 2);
    if (type == ElementType::float16) {
        sum_parts(reinterpret_cast<const Float16*>(parts.data()),
                  count,
                  reinterpret_cast<Float16*>(result.data()),
                  result.size());
    } else {
        sum_parts(reinterpret_cast<const BFloat16*>(parts.data()),
                  count,
                  reinterpret_cast<BFloat16*>(result.data()),
                  result.size());
    }
}

} // namespace muster::train
