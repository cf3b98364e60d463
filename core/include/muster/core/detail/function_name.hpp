#pragma once

#include <array>
#include <cstddef>
#include <string_view>

/// Names of functions given as template arguments, as errors and traces show them.
namespace muster::detail {

template <auto F>
constexpr const char* pretty_function() {
    return __PRETTY_FUNCTION__;
}

/// F as the compiler spells it: "ns::train", "&ns::train", or a lambda: see lambda_name().
template <auto F>
constexpr std::string_view spelled_name() {
    constexpr std::string_view text = pretty_function<F>();
    constexpr std::string_view marker = "F = ";
    constexpr std::size_t begin = text.find(marker) + marker.size();
    return text.substr(begin, text.rfind(']') - begin);
}

/// Text of bounded length that constant expressions can build.
struct NameText {
    std::array<char, 120> characters{}; ///< Ends in a zero.
    std::size_t size = 0;

    constexpr void append(std::string_view text) {
        for (const char character : text) {
            if (size + 1 < characters.size()) {
                characters[size++] = character;
            }
        }
    }

    /// All of `text` but every occurrence of `unwanted`.
    constexpr void append_without(std::string_view text, std::string_view unwanted) {
        for (auto at = text.find(unwanted); at != text.npos; at = text.find(unwanted)) {
            append(text.substr(0, at));
            text.remove_prefix(at + unwanted.size());
        }
        append(text);
    }
};

/// g++ writes `<lambda closure object>main(int, char**)::<lambda(double)>()`, clang++ `{}`. Several
/// lambdas in one function look alike, so the name says where it is and no more.
constexpr NameText lambda_name(std::string_view spelled) {
    NameText name;
    name.append("lambda");
    constexpr std::string_view prefix = "<lambda closure object>";
    if (spelled.starts_with(prefix)) {
        spelled.remove_prefix(prefix.size());
    }
    const auto parameters = spelled.find('(');
    if (parameters < spelled.find("<lambda")) {
        name.append(" in ");
        name.append_without(spelled.substr(0, parameters), "{anonymous}::");
        name.append("(...)");
    }
    return name;
}

constexpr NameText readable_name(std::string_view spelled) {
    if (spelled.find("<lambda") != spelled.npos || spelled == "{}") {
        return lambda_name(spelled);
    }
    if (spelled.starts_with('&')) {
        spelled.remove_prefix(1);
    }
    NameText name;
    const bool is_clang = spelled.find("(anonymous namespace)::") != spelled.npos;
    name.append_without(spelled, is_clang ? "(anonymous namespace)::" : "{anonymous}::");
    return name;
}

template <auto F>
inline constexpr NameText name_storage = readable_name(spelled_name<F>());

/// "integrate", "ns::train", "lambda in main(...)": static storage. Not unique: for people only.
template <auto F>
constexpr const char* function_name() {
    return name_storage<F>.characters.data();
}

template <class T>
constexpr const char* pretty_type() {
    return __PRETTY_FUNCTION__;
}

template <class T>
constexpr NameText readable_type_name() {
    std::string_view text = pretty_type<T>();
    constexpr std::string_view marker = "T = ";
    text.remove_prefix(text.find(marker) + marker.size());
    text.remove_suffix(text.size() - text.rfind(']'));
    NameText name;
    const bool is_clang = text.find("(anonymous namespace)::") != text.npos;
    name.append_without(text, is_clang ? "(anonymous namespace)::" : "{anonymous}::");
    return name;
}

template <class T>
inline constexpr NameText type_name_storage = readable_type_name<T>();

/// "Counter", "ns::Model<double>": static storage. Not unique: for people only.
template <class T>
constexpr const char* type_name() {
    return type_name_storage<T>.characters.data();
}

} // namespace muster::detail
