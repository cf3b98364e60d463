#pragma once

#include <muster/core/buffer.hpp>
#include <muster/core/serialize.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <vector>

/// One decoded copy for all tasks of a process that read the same value. Private to the library.
namespace muster::detail {

/// Made of nothing that a reader could change: so that several may read one at the same time.
template <class T>
inline constexpr bool is_shareable = bulk<T>;
template <class E, class A>
inline constexpr bool is_shareable<std::vector<E, A>> = is_shareable<E>;
template <class C, class Traits, class A>
inline constexpr bool is_shareable<std::basic_string<C, Traits, A>> = true;
template <class A, class B>
inline constexpr bool is_shareable<std::pair<A, B>> = is_shareable<A>&& is_shareable<B>;
template <class K, class V, class C, class A>
inline constexpr bool is_shareable<std::map<K, V, C, A>> = is_shareable<K>&& is_shareable<V>;
template <class K, class V, class H, class E, class A>
inline constexpr bool is_shareable<std::unordered_map<K, V, H, E, A>> =
    is_shareable<K>&& is_shareable<V>;

/// From here on a value is decoded once: smaller ones are copied as quickly as they are found.
inline constexpr std::size_t shared_bytes_min = std::size_t{64} << 10;

/// What `decode` gave for these bytes and this type before, as long as they are kept here; else
/// what it gives now. Any thread; others that want the same wait. Throws what `decode` throws.
[[nodiscard]] std::shared_ptr<const void>
decode_once(const Buffer& encoded,
            std::type_index type,
            const std::function<std::shared_ptr<const void>()>& decode);

/// Forgets what was decoded from bytes that are gone.
void forget_decoded() noexcept;

/// An argument for a `const T&`: its own, or shared with other tasks.
template <class T>
class SharedValue {
public:
    explicit SharedValue(T value) : own_(std::move(value)) {}

    explicit SharedValue(const Buffer& encoded) {
        if (encoded.size() < shared_bytes_min) {
            own_ = from_buffer<T>(encoded.bytes());
            return;
        }
        shared_ = std::static_pointer_cast<const T>(decode_once(encoded, typeid(T), [&] {
            return std::make_shared<const T>(from_buffer<T>(encoded.bytes()));
        }));
    }

    operator const T&() const { // NOLINT(google-explicit-constructor)
        return shared_ != nullptr ? *shared_ : *own_;
    }

private:
    std::optional<T> own_;
    std::shared_ptr<const T> shared_;
};

} // namespace muster::detail
