#pragma once

#include <muster/base/amount.hpp>
#include <muster/core/detail/reflect.hpp>
#include <muster/core/detail/serialize_stream.hpp>

#include <array>
#include <concepts>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

namespace muster {

class OutputArchive;
class InputArchive;

/// Specialise as true for a trivially copyable type of your own to have it copied byte by byte.
///
/// By default structs are taken apart field by field, so that a pointer in one is noticed and
/// padding does not travel. Opt in for a class with private members that is plain data.
template <class T>
inline constexpr bool trivially_encodable = false;

namespace detail {

/// How a type is encoded, or why it is not.
enum class Kind {
    boolean,
    scalar, ///< Numbers and enums.
    hook,   ///< muster_encode() and muster_decode(), found by argument-dependent lookup.
    opaque, ///< trivially_encodable
    member_archive,
    free_archive,
    buffer,
    amount,
    bits, ///< std::vector<bool>
    array,
    tuple, ///< std::pair too.
    optional,
    variant,
    duration,
    time_point,
    complex,
    path,
    map,
    set,
    sequence,
    aggregate,
    // Refused:
    reference,
    pointer,
    view,
    c_array,
    is_const,
    has_base_class,
    has_too_many_fields,
    is_union,
    not_default_constructible,
    unsupported,
};

template <class T, template <class...> class Template>
inline constexpr bool is_instance = false;
template <template <class...> class Template, class... A>
inline constexpr bool is_instance<Template<A...>, Template> = true;

template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t N>
inline constexpr bool is_array<std::array<T, N>> = true;

template <class T>
inline constexpr bool is_span = false;
template <class T, std::size_t N>
inline constexpr bool is_span<std::span<T, N>> = true;

template <class T>
concept Hooked = requires(Writer& writer, Reader& reader, const T& from, T& to) {
    muster_encode(writer, from);
    muster_decode(reader, to);
};

template <class T>
concept ArchivedByMember = requires(OutputArchive& out, InputArchive& in, T& value) {
    value.serialize(out);
    value.serialize(in);
};

template <class T>
concept ArchivedByFunction = requires(OutputArchive& out, InputArchive& in, T& value) {
    serialize(out, value);
    serialize(in, value);
};

template <class T>
concept PointerLike = requires(T& value) {
    typename T::element_type;
    value.get();
    *value;
};

// Standard types known by their shape: including <chrono>, <complex>, <filesystem>, <map> and the
// like would more than double the time it takes to compile this header.

template <class T>
concept DurationLike = requires(const T& value) {
    typename T::rep;
    typename T::period;
    T(value.count());
};

template <class T>
concept TimePointLike = requires(const T& value) {
    typename T::clock;
    typename T::duration;
    T(value.time_since_epoch());
};

template <class T>
concept ComplexLike = requires(const T& value) {
    typename T::value_type;
    T(value.real(), value.imag());
    requires sizeof(T) == 2 * sizeof(typename T::value_type);
};

template <class T>
concept PathLike = requires(const T& value) {
    typename T::format;
    T(value.native());
    value.lexically_normal();
};

template <class T>
concept ContainerLike = requires(T& value) {
    typename T::value_type;
    value.begin();
    value.end();
    value.clear();
    { value.size() } -> std::convertible_to<std::size_t>;
};

template <class T>
concept MapLike = ContainerLike<T> && requires {
    typename T::mapped_type;
};

template <class T>
concept SetLike = ContainerLike<T> && requires(T& value, typename T::key_type key) {
    value.emplace_hint(value.end(), std::move(key));
};

template <class T>
concept SequenceLike = ContainerLike<T> && requires(T& value, typename T::value_type element) {
    value.push_back(std::move(element));
};

template <class T>
consteval Kind aggregate_kind() {
    if constexpr (!std::is_default_constructible_v<T>) {
        return Kind::not_default_constructible;
    } else if constexpr (has_base<T>) {
        return Kind::has_base_class;
    } else if constexpr (field_count<T> == too_many_fields) {
        return Kind::has_too_many_fields;
    } else if constexpr (field_count<T> == blocked_field) {
        return Kind::not_default_constructible;
    } else if constexpr (field_count<T> == reference_field) {
        return Kind::reference;
    } else {
        return Kind::aggregate;
    }
}

/// The kind of T alone: its fields and elements are not looked at.
template <class T>
consteval Kind kind_of() {
    if constexpr (std::is_reference_v<T>) {
        return Kind::reference;
    } else if constexpr (std::is_const_v<T> || std::is_volatile_v<T>) {
        return Kind::is_const;
    } else if constexpr (std::is_same_v<T, bool>) {
        return Kind::boolean;
    } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
        return Kind::scalar;
    } else if constexpr (std::is_array_v<T>) {
        return Kind::c_array;
    } else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                         std::is_null_pointer_v<T>) {
        return Kind::pointer;
    } else if constexpr (!std::is_class_v<T>) {
        return std::is_union_v<T> ? Kind::is_union : Kind::unsupported;
    } else if constexpr (is_instance<T, std::reference_wrapper>) {
        return Kind::reference;
    } else if constexpr (is_span<T> || is_instance<T, std::basic_string_view> ||
                         std::ranges::enable_view<T>) {
        return Kind::view;
    } else if constexpr (std::is_same_v<T, Buffer>) {
        return Kind::buffer;
    } else if constexpr (std::is_same_v<T, Amount>) {
        return Kind::amount;
    } else if constexpr (trivially_encodable<T>) {
        static_assert(std::is_trivially_copyable_v<T>,
                      "muster: trivially_encodable is for trivially copyable types only");
        return Kind::opaque;
    } else if constexpr (Hooked<T>) {
        return std::is_default_constructible_v<T> ? Kind::hook : Kind::not_default_constructible;
    } else if constexpr (ArchivedByMember<T>) {
        return std::is_default_constructible_v<T> ? Kind::member_archive
                                                  : Kind::not_default_constructible;
    } else if constexpr (ArchivedByFunction<T>) {
        return std::is_default_constructible_v<T> ? Kind::free_archive
                                                  : Kind::not_default_constructible;
    } else if constexpr (is_array<T>) {
        return Kind::array;
    } else if constexpr (is_instance<T, std::pair> || is_instance<T, std::tuple>) {
        return Kind::tuple;
    } else if constexpr (is_instance<T, std::optional>) {
        return Kind::optional;
    } else if constexpr (is_instance<T, std::variant>) {
        return Kind::variant;
    } else if constexpr (PointerLike<T>) {
        return Kind::pointer;
    } else if constexpr (DurationLike<T>) {
        return Kind::duration;
    } else if constexpr (TimePointLike<T>) {
        return Kind::time_point;
    } else if constexpr (PathLike<T>) {
        return Kind::path;
    } else if constexpr (ComplexLike<T>) {
        return Kind::complex;
    } else if constexpr (MapLike<T>) {
        return Kind::map;
    } else if constexpr (SetLike<T>) {
        return Kind::set;
    } else if constexpr (SequenceLike<T>) {
        return is_instance<T, std::vector> && std::is_same_v<typename T::value_type, bool>
                   ? Kind::bits
                   : Kind::sequence;
    } else if constexpr (std::is_aggregate_v<T>) {
        return aggregate_kind<T>();
    } else {
        return Kind::unsupported;
    }
}

template <class T>
inline constexpr Kind kind = kind_of<T>();

template <class T>
inline constexpr bool is_refused = kind<T> >= Kind::reference;

/// The types that must be able to travel for T to be: TypeList<...>.
template <class T>
consteval auto parts_of() {
    constexpr Kind k = kind<T>;
    if constexpr (k == Kind::tuple || k == Kind::variant || k == Kind::optional) {
        return []<template <class...> class Template, class... Parts>(
                   std::type_identity<Template<Parts...>>) {
            return TypeList<std::remove_const_t<Parts>...>{};
        }(std::type_identity<T>{});
    } else if constexpr (k == Kind::array || k == Kind::sequence || k == Kind::complex) {
        return TypeList<typename T::value_type>{};
    } else if constexpr (k == Kind::set) {
        return TypeList<typename T::key_type>{};
    } else if constexpr (k == Kind::map) {
        return TypeList<typename T::key_type, typename T::mapped_type>{};
    } else if constexpr (k == Kind::duration) {
        return TypeList<typename T::rep>{};
    } else if constexpr (k == Kind::time_point) {
        return TypeList<typename T::duration>{};
    } else if constexpr (k == Kind::path) {
        return TypeList<typename T::string_type>{};
    } else if constexpr (k == Kind::aggregate) {
        return []<class... Values, class... ConstValues>(TypeList<Values...>,
                                                         TypeList<ConstValues...>) {
            // See FieldTypes: a member that is not const in a const T is a reference.
            return TypeList<std::conditional_t<std::is_const_v<ConstValues>, Values, Values&>...>{};
        }(FieldTypes<T>{}, FieldTypes<const T>{});
    } else {
        return TypeList<>{};
    }
}

template <class T>
using Parts = decltype(parts_of<T>());

template <class T>
consteval bool is_bulk();

template <class... Fields>
consteval bool are_bulk(TypeList<Fields...>) {
    return (is_bulk<Fields>() && ...);
}

template <class... Fields>
consteval std::size_t sum_of_sizes(TypeList<Fields...>) {
    return (std::size_t{0} + ... + sizeof(Fields));
}

/// True if T's encoding is its bytes in memory, and any bytes of that size are a value of T: then
/// arrays of T are copied whole. Structs without padding included; bool not (2 is no bool).
template <class T>
consteval bool is_bulk() {
    constexpr Kind k = kind<T>;
    if constexpr (k == Kind::scalar) {
        if constexpr (std::is_enum_v<T>) {
            return !std::is_same_v<std::underlying_type_t<T>, bool>;
        } else {
            return true;
        }
    } else if constexpr (k == Kind::opaque) {
        return true;
    } else if constexpr (k == Kind::array) {
        return is_bulk<typename T::value_type>() &&
               sizeof(T) == std::tuple_size_v<T> * sizeof(typename T::value_type);
    } else if constexpr (k == Kind::complex) {
        return is_bulk<typename T::value_type>();
    } else if constexpr (k == Kind::aggregate && std::is_trivially_copyable_v<T>) {
        return are_bulk(Parts<T>{}) && sum_of_sizes(Parts<T>{}) == sizeof(T);
    } else {
        return false;
    }
}

template <class T>
inline constexpr bool bulk = is_bulk<T>();

template <class T, class... Outer>
inline constexpr bool is_one_of = (std::is_same_v<T, Outer> || ...);

/// Whether T and all its parts can travel. `Outer` are the types T was found in: a type that
/// contains itself (a tree) is looked at once.
template <class T, class... Outer>
consteval bool travels() {
    if constexpr (is_one_of<T, Outer...>) {
        return true;
    } else if constexpr (is_refused<T>) {
        return false;
    } else {
        return []<class... P>(TypeList<P...>) {
            return (travels<P, T, Outer...>() && ...);
        }(Parts<T>{});
    }
}

/// Instantiated for a type that cannot travel, to say why. `T` is the type in question; what it was
/// found in is in the lines "required from" after this error.
template <class T, Kind Why = kind<T>>
struct Refused {
    static_assert(Why != Kind::reference,
                  "muster: this type cannot travel between ranks: it is, or a struct holds, a "
                  "reference; hold the value itself");
    static_assert(Why != Kind::pointer,
                  "muster: this type cannot travel between ranks: a pointer means nothing in "
                  "another process; hold the value itself, a std::optional or a std::vector");
    static_assert(Why != Kind::view,
                  "muster: this type cannot travel between ranks: a view refers to memory of this "
                  "process; hold the elements in a std::vector or std::string");
    static_assert(Why != Kind::c_array,
                  "muster: this type cannot travel between ranks: it is, or a struct holds, a C "
                  "array; use std::array");
    static_assert(Why != Kind::is_const,
                  "muster: this type cannot travel between ranks: a const member (or a const "
                  "reference) could not be filled in on the other side; hold a plain value");
    static_assert(Why != Kind::has_base_class,
                  "muster: this type cannot travel between ranks: structs with a base class are "
                  "not taken apart; make the base a member, or write a serialize(archive) member");
    static_assert(Why != Kind::has_too_many_fields,
                  "muster: this type cannot travel between ranks: a struct has more than 32 "
                  "fields; group some in structs, or write a serialize(archive) member");
    static_assert(Why != Kind::is_union,
                  "muster: this type cannot travel between ranks: nobody knows which member of a "
                  "union is in use; use std::variant");
    static_assert(
        Why != Kind::not_default_constructible,
        "muster: this type cannot travel between ranks: it, or a member, has no default "
        "constructor (or an explicit one): there is nothing to fill in on the other side");
    static_assert(Why != Kind::unsupported,
                  "muster: this type cannot travel between ranks: it is neither a number, an enum, "
                  "a standard container nor a struct of those with public members only; give it a "
                  "member `template <class A> void serialize(A& archive) { archive(a, b); }`");
    static constexpr bool explained = true;
};

/// Instantiates Refused for every part of T that cannot travel.
template <class T, class... Outer>
constexpr bool explain_travels() {
    if constexpr (is_one_of<T, Outer...>) {
        return true;
    } else if constexpr (is_refused<T>) {
        return Refused<T>::explained;
    } else {
        return []<class... P>(TypeList<P...>) {
            return (explain_travels<P, T, Outer...>() && ...);
        }(Parts<T>{});
    }
}

} // namespace detail

/// Whether values of T can be arguments, results and parts of messages. Never a hard error.
template <class T>
consteval bool is_serializable() {
    return detail::travels<T>();
}

template <class T>
concept Serializable = is_serializable<T>();

/// Fails to compile if T cannot travel, with a sentence for each part that cannot.
template <class T>
constexpr void check_serializable() {
    static_assert(detail::explain_travels<T>());
}

} // namespace muster
