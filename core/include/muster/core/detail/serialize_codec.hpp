#pragma once

#include <muster/core/detail/serialize_kind.hpp>

#include <type_traits>
#include <utility>

namespace muster {

namespace detail {

template <class T>
void encode_value(Writer& writer, const T& value);

template <class T>
void decode_value(Reader& reader, T& value);

} // namespace detail

/// What a type's own `serialize(archive)` gets when it is encoded. The const is cast away, because
/// serialize() serves both directions: when it is given this archive it must not change the value.
class OutputArchive {
public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    explicit OutputArchive(Writer& writer) : writer_(writer) {}

    template <class... T>
    OutputArchive& operator()(const T&... values) {
        (detail::encode_value(writer_, values), ...);
        return *this;
    }

private:
    Writer& writer_;
};

/// What a type's own `serialize(archive)` gets when it is decoded.
class InputArchive {
public:
    using is_saving = std::false_type;
    using is_loading = std::true_type;

    explicit InputArchive(Reader& reader) : reader_(reader) {}

    template <class... T>
    InputArchive& operator()(T&... values) {
        (detail::decode_value(reader_, values), ...);
        return *this;
    }

private:
    Reader& reader_;
};

namespace detail {

/// One level of containers for as long as it lives.
template <class Stream>
class Nested {
public:
    explicit Nested(Stream& stream) : stream_(stream) {
        if (stream_.nesting >= nesting_max) {
            throw Error("a value with more than " + std::to_string(nesting_max) +
                            " containers inside one another cannot be encoded or decoded: keep "
                            "the nodes in one vector, with indices in place of children",
                        std::is_same_v<Stream, Reader> ? ErrorCode::malformed : ErrorCode::usage);
        }
        ++stream_.nesting;
    }

    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

    ~Nested() { --stream_.nesting; }

private:
    Stream& stream_;
};

// Elements of a counted container take at least one byte each, so that a count can be checked
// against what is left before anything is allocated for it. Elements that encode to nothing (an
// empty struct) are made up for by zero bytes after the last one.

inline void pad_elements(Writer& writer, std::size_t begin, std::size_t count) {
    constexpr std::byte zero{};
    for (std::size_t size = writer.size() - begin; size < count; ++size) {
        writer.write(&zero, 1);
    }
}

inline void skip_padding(Reader& reader, std::size_t begin, std::size_t count) {
    const std::size_t size = reader.offset() - begin;
    if (size < count) {
        reader.take(count - size);
    }
}

template <class T>
concept BulkSequence = bulk<typename T::value_type> && requires(T& value, std::size_t size) {
    value.data();
    value.resize(size);
};

inline void encode_bits(Writer& writer, const std::vector<bool>& bits) {
    writer.write_count(bits.size());
    for (std::size_t i = 0; i < bits.size(); i += 8) {
        unsigned byte = 0;
        for (std::size_t k = 0; k < 8 && i + k < bits.size(); ++k) {
            byte |= static_cast<unsigned>(bits[i + k]) << k;
        }
        const auto packed = static_cast<std::byte>(byte);
        writer.write(&packed, 1);
    }
}

inline void decode_bits(Reader& reader, std::vector<bool>& bits) {
    const std::uint64_t count = reader.read_count();
    const auto bytes = reader.take(count / 8 + (count % 8 != 0 ? 1 : 0));
    bits.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        bits[i] = ((bytes[i / 8] >> (i % 8)) & std::byte{1}) != std::byte{};
    }
}

template <class T>
void encode_elements(Writer& writer, const T& container) {
    using Element = typename T::value_type;
    const auto count = static_cast<std::size_t>(container.size());
    writer.write_count(count);
    if constexpr (kind<T> == Kind::sequence && BulkSequence<T>) {
        writer.write(container.data(), count * sizeof(Element));
    } else {
        const Nested nested(writer);
        const std::size_t begin = writer.size();
        for (const auto& element : container) {
            if constexpr (kind<T> == Kind::map) {
                encode_value(writer, element.first);
                encode_value(writer, element.second);
            } else {
                encode_value(writer, element);
            }
        }
        pad_elements(writer, begin, count);
    }
}

template <class T>
void decode_bulk(Reader& reader, T& container) {
    using Element = typename T::value_type;
    const std::size_t count = reader.read_count_of(sizeof(Element));
    const auto bytes = reader.take(count * sizeof(Element));
    // resize() writes zeros first: in steps, so that they are overwritten while in the cache.
    constexpr std::size_t step_bytes = std::size_t{64} << 10;
    constexpr std::size_t step = sizeof(Element) < step_bytes ? step_bytes / sizeof(Element) : 1;
    container.clear();
    if constexpr (requires { container.reserve(count); }) {
        container.reserve(count);
    }
    for (std::size_t done = 0; done < count;) {
        const std::size_t next = std::min(step, count - done);
        container.resize(done + next);
        std::memcpy(
            container.data() + done, bytes.data() + done * sizeof(Element), next * sizeof(Element));
        done += next;
    }
}

template <class T>
void decode_sequence(Reader& reader, T& container) {
    if constexpr (BulkSequence<T>) {
        decode_bulk(reader, container);
    } else {
        using Element = typename T::value_type;
        const Nested nested(reader);
        const std::size_t count = reader.read_count_of(1);
        const std::size_t begin = reader.offset();
        container.clear();
        if constexpr (requires { container.reserve(count); }) {
            container.reserve(reader.reserve_elements(count, sizeof(Element)));
        }
        for (std::size_t i = 0; i < count; ++i) {
            if constexpr (requires { container.emplace_back(); }) {
                container.emplace_back();
                decode_value(reader, container.back());
            } else {
                Element element{};
                decode_value(reader, element);
                container.push_back(std::move(element));
            }
        }
        skip_padding(reader, begin, count);
    }
}

template <class T>
void decode_keyed(Reader& reader, T& container) {
    const Nested nested(reader);
    const std::size_t count = reader.read_count_of(1);
    const std::size_t begin = reader.offset();
    container.clear();
    for (std::size_t i = 0; i < count; ++i) {
        typename T::key_type key{};
        decode_value(reader, key);
        if constexpr (kind<T> == Kind::map) {
            typename T::mapped_type mapped{};
            decode_value(reader, mapped);
            container.emplace_hint(container.end(), std::move(key), std::move(mapped));
        } else {
            container.emplace_hint(container.end(), std::move(key));
        }
    }
    skip_padding(reader, begin, count);
    if (container.size() != count) {
        throw_malformed("a set or map before offset " + std::to_string(reader.offset()) +
                        " has the same key twice");
    }
}

template <class... T>
void encode_variant(Writer& writer, const std::variant<T...>& value) {
    if (value.valueless_by_exception()) {
        throw Error("a std::variant that is valueless_by_exception() cannot be encoded",
                    ErrorCode::usage);
    }
    writer.write_count(value.index());
    std::visit([&](const auto& alternative) { encode_value(writer, alternative); }, value);
}

template <class... T>
void decode_variant(Reader& reader, std::variant<T...>& value) {
    using Variant = std::variant<T...>;
    using Decode = void (*)(Reader&, Variant&);
    static constexpr auto decoders = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<Decode, sizeof...(I)>{
            [](Reader& from, Variant& to) { decode_value(from, to.template emplace<I>()); }...};
    }
    (std::index_sequence_for<T...>{});
    const std::uint64_t index = reader.read_count();
    if (index >= decoders.size()) {
        throw_malformed("alternative " + std::to_string(index) + " of a variant of " +
                        std::to_string(decoders.size()) + " before offset " +
                        std::to_string(reader.offset()));
    }
    decoders[index](reader, value);
}

template <class T>
void encode_value(Writer& writer, const T& value) {
    constexpr Kind k = kind<T>;
    if constexpr (is_refused<T>) {
        static_cast<void>(Refused<T>::explained);
    } else if constexpr (bulk<T>) {
        writer.write(&value, sizeof(T));
    } else if constexpr (k == Kind::boolean) {
        const auto byte = static_cast<std::uint8_t>(value);
        writer.write(&byte, 1);
    } else if constexpr (k == Kind::scalar) {
        encode_value(writer, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (k == Kind::hook) {
        muster_encode(writer, value);
    } else if constexpr (k == Kind::member_archive) {
        OutputArchive archive(writer);
        const_cast<T&>(value).serialize(archive);
    } else if constexpr (k == Kind::free_archive) {
        OutputArchive archive(writer);
        serialize(archive, const_cast<T&>(value));
    } else if constexpr (k == Kind::buffer) {
        writer.write_count(value.size());
        writer.write(value.bytes().data(), value.size());
    } else if constexpr (k == Kind::amount) {
        encode_value(writer, value.units());
    } else if constexpr (k == Kind::bits) {
        encode_bits(writer, value);
    } else if constexpr (k == Kind::array) {
        for (const auto& element : value) {
            encode_value(writer, element);
        }
    } else if constexpr (k == Kind::tuple) {
        std::apply([&](const auto&... parts) { (encode_value(writer, parts), ...); }, value);
    } else if constexpr (k == Kind::optional) {
        encode_value(writer, value.has_value());
        if (value.has_value()) {
            encode_value(writer, *value);
        }
    } else if constexpr (k == Kind::variant) {
        encode_variant(writer, value);
    } else if constexpr (k == Kind::duration) {
        encode_value(writer, value.count());
    } else if constexpr (k == Kind::time_point) {
        encode_value(writer, value.time_since_epoch());
    } else if constexpr (k == Kind::complex) {
        encode_value(writer, value.real());
        encode_value(writer, value.imag());
    } else if constexpr (k == Kind::path) {
        encode_value(writer, value.native());
    } else if constexpr (k == Kind::map || k == Kind::set || k == Kind::sequence) {
        encode_elements(writer, value);
    } else {
        static_assert(k == Kind::aggregate);
        visit_fields(value, [&](const auto&... fields) { (encode_value(writer, fields), ...); });
    }
}

template <class T>
void decode_value(Reader& reader, T& value) {
    constexpr Kind k = kind<T>;
    if constexpr (is_refused<T>) {
        static_cast<void>(Refused<T>::explained);
    } else if constexpr (bulk<T>) {
        reader.read(&value, sizeof(T));
    } else if constexpr (k == Kind::boolean) {
        const auto byte = std::to_integer<unsigned>(reader.take(1)[0]);
        if (byte > 1) {
            throw_malformed("a bool before offset " + std::to_string(reader.offset()) + " is " +
                            std::to_string(byte));
        }
        value = byte != 0;
    } else if constexpr (k == Kind::scalar) {
        std::underlying_type_t<T> number{};
        decode_value(reader, number);
        value = static_cast<T>(number);
    } else if constexpr (k == Kind::hook) {
        muster_decode(reader, value);
    } else if constexpr (k == Kind::member_archive) {
        InputArchive archive(reader);
        value.serialize(archive);
    } else if constexpr (k == Kind::free_archive) {
        InputArchive archive(reader);
        serialize(archive, value);
    } else if constexpr (k == Kind::buffer) {
        value = reader.take_buffer(reader.read_count_of(1));
    } else if constexpr (k == Kind::amount) {
        std::int64_t units = 0;
        decode_value(reader, units);
        value = Amount::from_units(units);
    } else if constexpr (k == Kind::bits) {
        decode_bits(reader, value);
    } else if constexpr (k == Kind::array) {
        for (auto& element : value) {
            decode_value(reader, element);
        }
    } else if constexpr (k == Kind::tuple) {
        std::apply([&](auto&... parts) { (decode_value(reader, parts), ...); }, value);
    } else if constexpr (k == Kind::optional) {
        bool has_value = false;
        decode_value(reader, has_value);
        value.reset();
        if (has_value) {
            decode_value(reader, value.emplace());
        }
    } else if constexpr (k == Kind::variant) {
        decode_variant(reader, value);
    } else if constexpr (k == Kind::duration) {
        typename T::rep count{};
        decode_value(reader, count);
        value = T(count);
    } else if constexpr (k == Kind::time_point) {
        typename T::duration since_epoch{};
        decode_value(reader, since_epoch);
        value = T(since_epoch);
    } else if constexpr (k == Kind::complex) {
        typename T::value_type real{};
        typename T::value_type imaginary{};
        decode_value(reader, real);
        decode_value(reader, imaginary);
        value = T(real, imaginary);
    } else if constexpr (k == Kind::path) {
        typename T::string_type native;
        decode_value(reader, native);
        value = T(std::move(native));
    } else if constexpr (k == Kind::map || k == Kind::set) {
        decode_keyed(reader, value);
    } else if constexpr (k == Kind::sequence) {
        decode_sequence(reader, value);
    } else {
        static_assert(k == Kind::aggregate);
        visit_fields(value, [&](auto&... fields) { (decode_value(reader, fields), ...); });
    }
}

} // namespace detail

} // namespace muster
