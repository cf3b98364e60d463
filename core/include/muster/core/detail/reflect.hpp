#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

/// Reflection over aggregates: how many fields a struct has, of which types, and a visit of all.
///
/// Fields are counted by asking whether `T{{}, {}, …}` compiles: an empty brace initialises one
/// member whatever its type, so nested structs, C arrays and types with greedy constructors each
/// count as one (counting with a "converts to anything" object miscounts all three).
namespace muster::detail {

template <class... Ts>
struct TypeList {};

inline constexpr std::size_t fields_max = 32;

/// What the count stands for when it is not a number of fields.
inline constexpr std::size_t too_many_fields = fields_max + 1;
inline constexpr std::size_t blocked_field = fields_max + 2; ///< A member cannot be made from {}.
inline constexpr std::size_t reference_field = fields_max + 3;

/// Initialise any member that is no reference, and any that is one.
struct AnyValue {
    template <class T>
    operator T() const;
};

struct AnyReference {
    template <class T>
    operator T&() const;
};

/// `T{{}, {}}` compiles with n empty braces and not with one more: because there are n fields, or
/// because the next one cannot be made from an empty brace?
template <class T>
consteval std::size_t judge_count(std::size_t n, bool value_fits, bool reference_fits) {
    if (value_fits) {
        return blocked_field;
    }
    if (reference_fits) {
        return reference_field;
    }
    return n == 0 && !std::is_empty_v<T> ? blocked_field : n;
}

/// Converts to base classes of T only: `T{AnyBaseOf<T>{}}` compiles if T has a base.
template <class T>
struct AnyBaseOf {
    template <class Base>
    requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>) operator Base() const;
};

template <class T>
inline constexpr bool has_base = requires {
    T{AnyBaseOf<T>{}};
};

// clang-format off
// The braces given, then: if there is no room for one more, their number is the answer.
#define MUSTER_COUNT_FIELDS(n, ...)                                                                \
    if constexpr (!requires { T{__VA_ARGS__ __VA_OPT__(,) {}}; }) {                                \
        return judge_count<T>(n,                                                                   \
                              requires { T{__VA_ARGS__ __VA_OPT__(,) AnyValue{}}; },               \
                              requires { T{__VA_ARGS__ __VA_OPT__(,) AnyReference{}}; });          \
    } else

/// @pre T is an aggregate and default constructible.
template <class T>
consteval std::size_t count_fields() {
    MUSTER_COUNT_FIELDS(0)
    MUSTER_COUNT_FIELDS(1, {})
    MUSTER_COUNT_FIELDS(2, {}, {})
    MUSTER_COUNT_FIELDS(3, {}, {}, {})
    MUSTER_COUNT_FIELDS(4, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(5, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(6, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(7, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(8, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(9, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(10, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(11, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(12, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(13, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(14, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(15, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(16, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(17, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(18, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(19, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(20, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(21, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(22, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(23, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(24, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(25, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(26, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(27, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(28, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(29, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(30, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(31, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    MUSTER_COUNT_FIELDS(32, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
    return too_many_fields;
}

#undef MUSTER_COUNT_FIELDS

template <class T>
inline constexpr std::size_t field_count = count_fields<std::remove_cv_t<T>>();

/// Calls `visitor(field...)` with every field of `value`, in declaration order.
/// @pre field_count<T> is at most fields_max, and T has no base class.
template <class T, class Visitor>
constexpr decltype(auto) visit_fields(T& value, Visitor&& visitor) {
    constexpr std::size_t n = field_count<T>;
    if constexpr (n == 0) { (void)value; return visitor(); }
    else if constexpr (n == 1) { auto& [f0] = value; return visitor(f0); }
    else if constexpr (n == 2) { auto& [f0, f1] = value; return visitor(f0, f1); }
    else if constexpr (n == 3) { auto& [f0, f1, f2] = value; return visitor(f0, f1, f2); }
    else if constexpr (n == 4) { auto& [f0, f1, f2, f3] = value; return visitor(f0, f1, f2, f3); }
    else if constexpr (n == 5) { auto& [f0, f1, f2, f3, f4] = value; return visitor(f0, f1, f2, f3, f4); }
    else if constexpr (n == 6) { auto& [f0, f1, f2, f3, f4, f5] = value; return visitor(f0, f1, f2, f3, f4, f5); }
    else if constexpr (n == 7) { auto& [f0, f1, f2, f3, f4, f5, f6] = value; return visitor(f0, f1, f2, f3, f4, f5, f6); }
    else if constexpr (n == 8) { auto& [f0, f1, f2, f3, f4, f5, f6, f7] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7); }
    else if constexpr (n == 9) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8); }
    else if constexpr (n == 10) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9); }
    else if constexpr (n == 11) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10); }
    else if constexpr (n == 12) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11); }
    else if constexpr (n == 13) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12); }
    else if constexpr (n == 14) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13); }
    else if constexpr (n == 15) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14); }
    else if constexpr (n == 16) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15); }
    else if constexpr (n == 17) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16); }
    else if constexpr (n == 18) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17); }
    else if constexpr (n == 19) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18); }
    else if constexpr (n == 20) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19); }
    else if constexpr (n == 21) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20); }
    else if constexpr (n == 22) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21); }
    else if constexpr (n == 23) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22); }
    else if constexpr (n == 24) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23); }
    else if constexpr (n == 25) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24); }
    else if constexpr (n == 26) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25); }
    else if constexpr (n == 27) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26); }
    else if constexpr (n == 28) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27); }
    else if constexpr (n == 29) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28); }
    else if constexpr (n == 30) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29); }
    else if constexpr (n == 31) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30); }
    else if constexpr (n == 32) { auto& [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31] = value; return visitor(f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31); }
}

// clang-format on

struct ListTypes {
    template <class... Fields>
    constexpr TypeList<Fields...> operator()(Fields&...) const {
        return {};
    }
};

/// TypeList of the fields' types. Value members of a const T are const; a member that is not is a
/// reference, and a member that is const although T is not can never be decoded into.
template <class T>
using FieldTypes = decltype(visit_fields(std::declval<T&>(), ListTypes{}));

} // namespace muster::detail
