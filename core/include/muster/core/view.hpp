#pragma once

#include <muster/core/buffer.hpp>
#include <muster/core/detail/shared_value.hpp>
#include <muster/core/serialize.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster {

namespace detail {

/// An array whose elements lie in its encoding as they lie in memory, behind their count: a vector
/// or string of numbers.
template <class T>
inline constexpr bool is_viewable = false;
template <class E, class A>
inline constexpr bool is_viewable<std::vector<E, A>> = bulk<E>;
template <class C, class Traits, class A>
inline constexpr bool is_viewable<std::basic_string<C, Traits, A>> = bulk<C>;

} // namespace detail

/// The value of a future, read where it lies: no element is copied, whoever made the value, if it
/// is large (64 KiB) and was made on this node.
///
/// Stands for a `const T&` whose elements are read through a std::span or std::string_view. The
/// value stays where it is as long as a view of it lives, whatever becomes of its futures and of
/// the rank that made it. `T` is a std::vector or std::string of numbers. Copying a view copies a
/// pointer. Threads: as a const container.
template <class T>
requires detail::is_viewable<T>

class View {
public:
    using Element = typename T::value_type;
    using value_type = Element;
    using Span = std::span<const Element>;

    View() = default;

    /// Private to the library: of a T's encoding. Throws Error (malformed) if it is none.
    explicit View(Buffer encoded) : keep_(std::move(encoded)) { read(keep_.bytes()); }

    [[nodiscard]] Span span() const { return elements_; }

    // A std::span is made of any contiguous range, and so of this one.

    operator std::basic_string_view<Element>() const // NOLINT(google-explicit-constructor)
        requires(!std::is_same_v<T, std::vector<Element>>) {
        return {elements_.data(), elements_.size()};
    }

    [[nodiscard]] const Element* data() const { return elements_.data(); }

    [[nodiscard]] std::size_t size() const { return elements_.size(); }

    [[nodiscard]] bool empty() const { return elements_.empty(); }

    [[nodiscard]] auto begin() const { return elements_.begin(); }

    [[nodiscard]] auto end() const { return elements_.end(); }

    const Element& operator[](std::size_t i) const { return elements_[i]; }

private:
    void read(std::span<const std::byte> encoded) {
        Reader reader(encoded);
        const std::size_t count = reader.read_count_of(sizeof(Element));
        const auto bytes = reader.take(count * sizeof(Element));
        reader.finish();
        if (count == 0) {
            return;
        }
        if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Element) != 0) {
            // Small values lie where messages happen to have them.
            auto aligned = allocate_bytes(bytes.size());
            std::memcpy(aligned.get(), bytes.data(), bytes.size());
            keep_ = Buffer(std::move(aligned), bytes.size());
            elements_ = {reinterpret_cast<const Element*>(keep_.bytes().data()), count};
        } else {
            elements_ = {reinterpret_cast<const Element*>(bytes.data()), count};
        }
    }

    Buffer keep_;
    Span elements_;
};

namespace detail {

/// A type that can hand out its own encoding, which may lie where values are kept already, and that
/// is decoded without copying what is large in it: a container of Buffers. Private to the libraries
/// beside this one.
template <class T>
concept HoldsEncoding = requires(const T& value) {
    { value.muster_encoding() } -> std::same_as<Buffer>;
};

/// The value of an object.
template <class T>
T decode_object(const Buffer& encoded) {
    if constexpr (HoldsEncoding<T>) {
        return from_buffer<T>(encoded);
    } else {
        return from_buffer<T>(encoded.bytes());
    }
}

/// How a parameter travels, and what the function is given for it: the value itself, or for a
/// std::span<const E> or std::string_view a view of the vector or string that the caller passed.
template <class P>
struct Parameter {
    using Stored = std::remove_cvref_t<P>;
    using Held = Stored;
    static constexpr bool is_view = false;
};

template <class T>

requires is_shareable<T> &&(!bulk<T>)

    struct Parameter<const T&> {
    using Stored = T;
    using Held = SharedValue<T>;
    static constexpr bool is_view = false;
};

template <class E>
requires is_viewable<std::vector<E>>

struct Parameter<std::span<const E>> {
    using Stored = std::vector<E>;
    using Held = View<Stored>;
    static constexpr bool is_view = true;
};

template <class C, class Traits>
requires is_viewable<std::basic_string<C, Traits>>

struct Parameter<std::basic_string_view<C, Traits>> {
    using Stored = std::basic_string<C, Traits>;
    using Held = View<Stored>;
    static constexpr bool is_view = true;
};

template <class P>

requires(!std::is_same_v<P, std::remove_cvref_t<P>> &&
         Parameter<std::remove_cvref_t<P>>::is_view) struct Parameter<P>
    : Parameter<std::remove_cvref_t<P>> {
};

template <class P>
using StoredParameter = typename Parameter<P>::Stored;

} // namespace detail

} // namespace muster
