#include "gang/combine.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace muster::gang {
namespace {

// Elements of partial results at a time, so that these stay in the first cache.
constexpr std::uint64_t block_bytes = 2048;
// The tree over 2^20 members, the largest world, is so deep.
constexpr std::size_t depth_max = 21;

template <class T>
using Wide = std::conditional_t<
    std::is_floating_point_v<T>,
    T,
    std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>>; // Unsigned, since it wraps.

struct Sum {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(static_cast<Wide<T>>(a) + static_cast<Wide<T>>(b));
    }
};

struct Product {
    template <class T>
    static T of(T a, T b) {
        return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b));
    }
};

struct Min {
    template <class T>
    static T of(T a, T b) {
        return b < a ? b : a;
    }
};

struct Max {
    template <class T>
    static T of(T a, T b) {
        return a < b ? b : a;
    }
};

// `out` may be `a` or `b` itself, which leaves no dependence between iterations.
template <class T, class Op>
void combine_two(const T* a, const T* b, T* out, std::uint64_t count) {
#pragma GCC ivdep
    for (std::uint64_t i = 0; i < count; ++i) {
        out[i] = Op::of(a[i], b[i]);
    }
}

template <class T>
using Scratch = std::array<std::array<T, block_bytes / sizeof(T)>, depth_max>;

// Where the reduction of inputs [low, high) is: in an input, or in scratch[depth].
template <class T, class Op>
const T* combine_block(std::span<const std::byte* const> inputs,
                       int low,
                       int high,
                       std::uint64_t offset,
                       std::uint64_t count,
                       Scratch<T>& scratch,
                       std::size_t depth) {
    if (high - low == 1) {
        return reinterpret_cast<const T*>(inputs[static_cast<std::size_t>(low)]) + offset;
    }
    const int mid = middle(low, high);
    T* const own = scratch[depth].data();
    const T* lower = combine_block<T, Op>(inputs, low, mid, offset, count, scratch, depth);
    const T* upper = combine_block<T, Op>(inputs, mid, high, offset, count, scratch, depth + 1);
    combine_two<T, Op>(lower, upper, own, count);
    return own;
}

template <class T, class Op>
void combine_all(std::span<const std::byte* const> inputs, std::byte* out, std::uint64_t count) {
    const int n = static_cast<int>(inputs.size());
    T* const result = reinterpret_cast<T*>(out);
    if (n == 1) {
        if (inputs[0] != out && count > 0) {
            std::memcpy(out, inputs[0], count * sizeof(T));
        }
        return;
    }
    if (n == 2) {
        combine_two<T, Op>(reinterpret_cast<const T*>(inputs[0]),
                           reinterpret_cast<const T*>(inputs[1]),
                           result,
                           count);
        return;
    }
    Scratch<T> scratch;
    constexpr std::uint64_t block = block_bytes / sizeof(T);
    const int mid = middle(0, n);
    for (std::uint64_t offset = 0; offset < count; offset += block) {
        const std::uint64_t size = std::min(block, count - offset);
        const T* lower = combine_block<T, Op>(inputs, 0, mid, offset, size, scratch, 0);
        const T* upper = combine_block<T, Op>(inputs, mid, n, offset, size, scratch, 1);
        combine_two<T, Op>(lower, upper, result + offset, size);
    }
}

template <class T>
void combine_by(ReduceOp op,
                std::span<const std::byte* const> inputs,
                std::byte* out,
                std::uint64_t count) {
    switch (op) {
    case ReduceOp::sum:
        return combine_all<T, Sum>(inputs, out, count);
    case ReduceOp::product:
        return combine_all<T, Product>(inputs, out, count);
    case ReduceOp::min:
        return combine_all<T, Min>(inputs, out, count);
    case ReduceOp::max:
        return combine_all<T, Max>(inputs, out, count);
    }
}

} // namespace

std::size_t size_of(ElementType type) {
    switch (type) {
    case ElementType::i8:
    case ElementType::u8:
        return 1;
    case ElementType::i16:
    case ElementType::u16:
        return 2;
    case ElementType::i32:
    case ElementType::u32:
    case ElementType::f32:
        return 4;
    case ElementType::i64:
    case ElementType::u64:
    case ElementType::f64:
        return 8;
    }
    return 1;
}

const char* name_of(ElementType type) {
    switch (type) {
    case ElementType::i8:
        return "int8";
    case ElementType::u8:
        return "uint8";
    case ElementType::i16:
        return "int16";
    case ElementType::u16:
        return "uint16";
    case ElementType::i32:
        return "int32";
    case ElementType::u32:
        return "uint32";
    case ElementType::i64:
        return "int64";
    case ElementType::u64:
        return "uint64";
    case ElementType::f32:
        return "float";
    case ElementType::f64:
        return "double";
    }
    return "unknown";
}

const char* name_of(ReduceOp op) {
    switch (op) {
    case ReduceOp::sum:
        return "sum";
    case ReduceOp::product:
        return "product";
    case ReduceOp::min:
        return "min";
    case ReduceOp::max:
        return "max";
    }
    return "unknown";
}

void combine(ElementType type,
             ReduceOp op,
             std::span<const std::byte* const> inputs,
             std::byte* out,
             std::uint64_t count) {
    MUSTER_ASSERT(!inputs.empty());
    switch (type) {
    case ElementType::i8:
        return combine_by<std::int8_t>(op, inputs, out, count);
    case ElementType::u8:
        return combine_by<std::uint8_t>(op, inputs, out, count);
    case ElementType::i16:
        return combine_by<std::int16_t>(op, inputs, out, count);
    case ElementType::u16:
        return combine_by<std::uint16_t>(op, inputs, out, count);
    case ElementType::i32:
        return combine_by<std::int32_t>(op, inputs, out, count);
    case ElementType::u32:
        return combine_by<std::uint32_t>(op, inputs, out, count);
    case ElementType::i64:
        return combine_by<std::int64_t>(op, inputs, out, count);
    case ElementType::u64:
        return combine_by<std::uint64_t>(op, inputs, out, count);
    case ElementType::f32:
        return combine_by<float>(op, inputs, out, count);
    case ElementType::f64:
        return combine_by<double>(op, inputs, out, count);
    }
}

} // namespace muster::gang
