#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace muster::tune {

/// What a parameter can be. An int becomes an int64, a string literal a string.
using Value = std::variant<double, std::int64_t, std::string, bool>;

/// "double", "integer", "string" or "bool".
[[nodiscard]] std::string_view type_name(const Value& value);

/// A number so that it reads back as the same, a string as it is, true or false.
[[nodiscard]] std::string to_string(const Value& value);

namespace detail {

template <class T, class... Others>
concept NoneOf = (!std::same_as<T, Others> && ...);

} // namespace detail

/// What a Value can be read as: bool and string as themselves, an integer as any integer type that
/// holds it, a double as float or double, an integer that a double represents exactly also as
/// those.
template <class T>
concept ReadableValue = std::same_as<T, std::string> || std::floating_point<T> ||
    (std::integral<T>&& detail::NoneOf<T, char, wchar_t, char8_t, char16_t, char32_t>);

/// A parameter of a Configuration on its way into a variable: converts to what the variable is,
/// and throws as Configuration::get() does. Refers to its configuration; not to be kept.
class ParameterValue {
public:
    ParameterValue(std::string_view name, const Value& value) : name_(name), value_(&value) {}

    template <ReadableValue T>
    operator T() const {
        if constexpr (std::same_as<T, bool>) {
            return as_bool();
        } else if constexpr (std::integral<T>) {
            const std::int64_t value = as_integer();
            if (!std::in_range<T>(value)) {
                throw_out_of_range(std::to_string(std::numeric_limits<T>::min()),
                                   std::to_string(std::numeric_limits<T>::max()));
            }
            return static_cast<T>(value);
        } else if constexpr (std::floating_point<T>) {
            return static_cast<T>(as_double());
        } else {
            return as_string();
        }
    }

private:
    [[nodiscard]] bool as_bool() const;
    [[nodiscard]] std::int64_t as_integer() const;
    [[nodiscard]] double as_double() const;
    [[nodiscard]] const std::string& as_string() const;
    [[noreturn]] void throw_out_of_range(const std::string& low, const std::string& high) const;
    [[noreturn]] void throw_wrong_type(std::string_view wanted) const;

    std::string_view name_;
    const Value* value_;
};

/// One point of a search space: named values, in the order of the space.
///
///     const Model model{.learning_rate = configuration["learning_rate"],
///                       .layers = configuration["layers"],
///                       .optimizer = configuration["optimizer"]};
///
/// A value: copies, compares, prints, and travels between ranks as an argument or a result.
class Configuration {
public:
    struct Item {
        std::string name;
        Value value;

        bool operator==(const Item&) const = default;
    };

    Configuration() = default;

    /// @throws UsageError if two items have the same name.
    explicit Configuration(std::vector<Item> items);

    /// The named parameter, as the type of the variable it goes into.
    /// @throws UsageError that names the parameters there are if it is none of them; on conversion,
    ///         UsageError that names the parameter, its type and its value if the variable's type
    ///         cannot hold it.
    [[nodiscard]] ParameterValue operator[](std::string_view name) const;

    /// The same, where nothing says the type.
    template <ReadableValue T>
    [[nodiscard]] T get(std::string_view name) const {
        return (*this)[name];
    }

    [[nodiscard]] bool contains(std::string_view name) const { return find(name) != nullptr; }

    /// Sets a parameter, added at the end if it is new: to try a variation of a configuration.
    void set(std::string_view name, Value value);

    [[nodiscard]] const std::vector<Item>& items() const { return items_; }

    bool operator==(const Configuration&) const = default;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(items_);
    }

private:
    [[nodiscard]] const Value* find(std::string_view name) const;

    std::vector<Item> items_;
};

/// "learning_rate=0.0407 layers=3 optimizer=adam"
[[nodiscard]] std::string to_string(const Configuration& configuration);

std::ostream& operator<<(std::ostream& out, const Configuration& configuration);

} // namespace muster::tune
