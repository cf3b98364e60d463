#pragma once

#include <muster/base/random.hpp>
#include <muster/core/detail/serialize_kind.hpp>

#include <cstdint>
#include <string_view>

namespace muster {

namespace detail {

/// FNV-1a, 64 bits.
/// Source: Fowler, Noll, Vo, Eastlake, "The FNV Non-Cryptographic Hash Algorithm", RFC 9923.
constexpr std::uint64_t hash_text(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char character : text) {
        hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3ULL;
    }
    return hash;
}

/// Depends on the order of the two.
constexpr std::uint64_t combine_hashes(std::uint64_t first, std::uint64_t second) {
    return mix64(first * 0x9e3779b97f4a7c15ULL + second);
}

template <class T, class... Outer>
std::uint64_t shape_hash();

/// The third archive: learns what a type's own `serialize(archive)` would write.
template <class... Outer>
class ShapeArchive {
public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    template <class... T>
    ShapeArchive& operator()(const T&...) {
        ((hash_ = combine_hashes(hash_, shape_hash<T, Outer...>())), ...);
        return *this;
    }

    [[nodiscard]] std::uint64_t hash() const { return hash_; }

private:
    std::uint64_t hash_ = hash_text("archive");
};

template <class T>
constexpr std::string_view type_text() {
    return __PRETTY_FUNCTION__;
}

/// Types of one encoding may share a name: a vector written by one program may be read as a list.
template <class T>
constexpr std::string_view shape_name() {
    switch (kind<T>) {
    case Kind::boolean:
        return "bool";
    case Kind::scalar:
        if constexpr (std::is_enum_v<T>) {
            return "enum";
        } else if constexpr (std::is_floating_point_v<T>) {
            return "float";
        } else {
            return std::is_signed_v<T> ? "signed" : "unsigned";
        }
    case Kind::buffer:
        return "buffer";
    case Kind::amount:
        return "amount";
    case Kind::bits:
        return "bits";
    case Kind::array:
        return "array";
    case Kind::optional:
        return "optional";
    case Kind::variant:
        return "variant";
    case Kind::duration:
        return "duration";
    case Kind::time_point:
        return "time_point";
    case Kind::complex:
        return "complex";
    case Kind::path:
        return "path";
    case Kind::map:
        return "map";
    case Kind::set:
        return "set";
    case Kind::sequence:
        return "sequence";
    case Kind::tuple:
    case Kind::aggregate:
        return "struct";
    default:
        return type_text<T>(); // Hooks and opaque types: their shape is their own affair.
    }
}

/// Numbers that belong to the shape: sizes of scalars and arrays, the unit of a duration.
template <class T>
constexpr std::uint64_t shape_number() {
    if constexpr (kind<T> == Kind::scalar || kind<T> == Kind::opaque) {
        return sizeof(T);
    } else if constexpr (kind<T> == Kind::array) {
        return std::tuple_size_v<T>;
    } else if constexpr (kind<T> == Kind::duration) {
        return combine_hashes(static_cast<std::uint64_t>(T::period::num),
                              static_cast<std::uint64_t>(T::period::den));
    } else {
        return 0;
    }
}

/// How many types further out T is, counted from 1; 0 if it is none of them.
template <class T, class... Outer>
constexpr std::uint64_t levels_out() {
    std::uint64_t level = 0;
    const bool found = ((++level, std::is_same_v<T, Outer>) || ...);
    return found ? level : 0;
}

template <class T, class... Outer>
std::uint64_t shape_hash() {
    if constexpr (is_one_of<T, Outer...>) {
        return combine_hashes(hash_text("recursion"), levels_out<T, Outer...>());
    } else if constexpr (kind<T> == Kind::member_archive) {
        ShapeArchive<T, Outer...> archive;
        T{}.serialize(archive);
        return archive.hash();
    } else if constexpr (kind<T> == Kind::free_archive) {
        ShapeArchive<T, Outer...> archive;
        T value{};
        serialize(archive, value);
        return archive.hash();
    } else {
        std::uint64_t hash = combine_hashes(hash_text(shape_name<T>()), shape_number<T>());
        []<class... P>(TypeList<P...>, std::uint64_t& whole) {
            ((whole = combine_hashes(whole, shape_hash<P, T, Outer...>())), ...);
        }(Parts<T>{}, hash);
        return hash;
    }
}

} // namespace detail

/// A hash of T's shape: kinds, sizes and order of everything in it, names left out. Stored with
/// whatever outlives the process, so that bytes of another shape are refused and not misread.
///
/// The same in every build by the same compiler. A type with its own `serialize(archive)` is asked
/// through a default-constructed value.
template <class T>
std::uint64_t type_hash() {
    check_serializable<T>();
    return detail::shape_hash<T>();
}

} // namespace muster
