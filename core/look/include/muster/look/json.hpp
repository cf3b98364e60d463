#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::look {

/// Appends `text` in quotes. What is not UTF-8 becomes U+FFFD, so that the result always is JSON.
void append_quoted(std::string& json, std::string_view text);

/// Writes JSON on one line, a value at a time. Commas come by themselves.
///
///     Json json;
///     json.open('{').field("rank", 3).key("hosts").open('[').value("n1").close(']').close('}');
class Json {
public:
    Json& open(char bracket);
    Json& close(char bracket);
    Json& key(std::string_view name);
    Json& value(std::string_view text);

    Json& value(const char* text) { return value(std::string_view(text)); }

    Json& value(const std::string& text) { return value(std::string_view(text)); }

    Json& value(bool truth);
    /// What is not finite is null.
    Json& value(double number);

    template <std::integral T>

    requires(!std::same_as<T, bool>) Json& value(T number) {
        separate();
        text_ += std::to_string(number);
        return *this;
    }

    template <class T>
    Json& field(std::string_view name, const T& content) {
        key(name);
        return value(content);
    }

    [[nodiscard]] const std::string& text() const { return text_; }

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void separate();

    std::string text_;
    bool fresh_ = true; ///< Nothing stands before the next value that a comma would part it from.
};

} // namespace muster::look
