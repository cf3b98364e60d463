#pragma once

#include <muster/core/detail/serialize_codec.hpp>
#include <muster/core/detail/serialize_hash.hpp>
#include <muster/core/detail/serialize_kind.hpp>
#include <muster/core/detail/serialize_stream.hpp>

#include <cstddef>
#include <span>

/// The one codec: task arguments and results, control messages, and records that outlive a run.
///
/// What can travel, first match first:
///   - numbers, bool, enums, by value, little endian and fixed width;
///   - types with `muster_encode(Writer&, const T&)` and `muster_decode(Reader&, T&)`, or with a
///     member `template <class A> void serialize(A& archive) { archive(a, b); }` (or a free
///     `serialize(archive, value)`), found by argument-dependent lookup;
///   - Buffer, Amount, Bytes; std::string, vector, array, deque, list, map, set and their unordered
///     and multi- versions, pair, tuple, optional, variant, complex, chrono, filesystem::path;
///   - structs with public members only, no base class and at most 32 fields: they need nothing.
///
/// Contiguous ranges of numbers, and of structs of numbers without padding, are copied at the speed
/// of memcpy. References, pointers and views are refused at compile time: see check_serializable().
///
/// Types must be default constructible. Counts are varints; there is no alignment, no type
/// information and no versioning in the bytes: use type_hash() for what outlives the program.
namespace muster {

/// Appends the encoding of `value`.
/// @throws Error (usage) for a valueless variant, or containers nested more than 1000 deep.
template <class T>
void encode(Writer& writer, const T& value) {
    detail::encode_value(writer, value);
}

/// Reads a T into `value`, replacing what it holds.
/// @throws Error (malformed) if the bytes are no encoding of a T; then `value` is valid but
///         unspecified. Never allocates more than a constant times the bytes given.
template <class T>
void decode(Reader& reader, T& value) {
    detail::decode_value(reader, value);
}

/// As above, into a new value.
template <class T>
[[nodiscard]] T decode(Reader& reader) {
    T value{};
    detail::decode_value(reader, value);
    return value;
}

/// The encoding of one value.
template <class T>
[[nodiscard]] Buffer to_buffer(const T& value) {
    Writer writer;
    detail::encode_value(writer, value);
    return writer.take();
}

/// The reverse. Bytes left over are malformed too.
template <class T>
[[nodiscard]] T from_buffer(std::span<const std::byte> bytes) {
    Reader reader(bytes);
    T value{};
    detail::decode_value(reader, value);
    reader.finish();
    return value;
}

/// As above; large Buffers inside the value share the memory of `bytes`.
template <class T>
[[nodiscard]] T from_buffer(const Buffer& bytes) {
    Reader reader(bytes);
    T value{};
    detail::decode_value(reader, value);
    reader.finish();
    return value;
}

} // namespace muster
