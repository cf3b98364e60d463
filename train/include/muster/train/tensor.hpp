#pragma once

#include <muster/train/element.hpp>
#include <muster/train/parameter.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace muster::train {

/// The memory that a tensor is in.
struct Device {
    enum class Kind : std::uint8_t { cpu, cuda };

    Kind kind = Kind::cpu;
    int index = 0; ///< Of the GPU, as CUDA counts them in this process.

    bool operator==(const Device&) const = default;
};

namespace detail {

template <class T>
inline constexpr bool is_element =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, Float16> ||
    std::is_same_v<T, BFloat16> || std::is_same_v<T, std::uint8_t> ||
    std::is_same_v<T, std::uint64_t>;

template <class T>
consteval ElementType element_of() {
    if constexpr (std::is_same_v<T, float>) {
        return ElementType::float32;
    } else if constexpr (std::is_same_v<T, double>) {
        return ElementType::float64;
    } else if constexpr (std::is_same_v<T, Float16>) {
        return ElementType::float16;
    } else if constexpr (std::is_same_v<T, BFloat16>) {
        return ElementType::bfloat16;
    } else if constexpr (std::is_same_v<T, std::uint8_t>) {
        return ElementType::uint8;
    } else {
        return ElementType::uint64;
    }
}

} // namespace detail

/// Contiguous memory of the caller's, with what is in it. Borrows, as a span does.
struct Tensor {
    void* data = nullptr;
    std::size_t elements = 0;
    ElementType type = ElementType::float32;
    Device device;

    Tensor() = default;

    Tensor(void* memory, std::size_t size, ElementType of, Device in = {})
        : data(memory), elements(size), type(of), device(in) {}

    template <class T>

    requires detail::is_element<T> Tensor(std::span<T> values)
        : data(values.data()), elements(values.size()), type(detail::element_of<T>()) {}

    Tensor(const ParameterView& view) {
        std::visit([this](const auto& values) { *this = Tensor(values); }, view);
    }

    [[nodiscard]] std::size_t size_bytes() const { return elements * size_bytes_of(type); }

    /// On the CPU, of elements of this type.
    template <class T>
    [[nodiscard]] std::span<T> as() const {
        return {static_cast<T*>(data), elements};
    }
};

/// The same, to be read only.
struct ConstTensor {
    const void* data = nullptr;
    std::size_t elements = 0;
    ElementType type = ElementType::float32;
    Device device;

    ConstTensor() = default;

    ConstTensor(const void* memory, std::size_t size, ElementType of, Device in = {})
        : data(memory), elements(size), type(of), device(in) {}

    ConstTensor(const Tensor& other)
        : data(other.data), elements(other.elements), type(other.type), device(other.device) {}

    template <class T>

    requires detail::is_element<std::remove_const_t<T>> ConstTensor(std::span<T> values)
        : data(values.data()), elements(values.size()),
          type(detail::element_of<std::remove_const_t<T>>()) {}

    [[nodiscard]] std::size_t size_bytes() const { return elements * size_bytes_of(type); }

    template <class T>
    [[nodiscard]] std::span<const T> as() const {
        return {static_cast<const T*>(data), elements};
    }
};

} // namespace muster::train
