#include <muster/look/json.hpp>

#include <fmt/format.h>

#include <cmath>
#include <cstddef>

namespace muster::look {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

/// How long the well-formed character at the beginning is; 0: there is none. Unicode 15, table 3-7.
std::size_t length_of_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
        return i < text.size() && byte(i) >= low && byte(i) <= high;
    };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return continues(1) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
        const unsigned high = first == 0xED ? 0x9F : 0xBF;
        return continues(1, low, high) && continues(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const unsigned low = first == 0xF0 ? 0x90 : 0x80;
        const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
        return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

} // namespace

void append_quoted(std::string& json, std::string_view text) {
    json += '"';
    while (!text.empty()) {
        const auto letter = static_cast<unsigned char>(text.front());
        std::size_t taken = 1;
        if (letter == '"' || letter == '\\') {
            json += '\\';
            json += text.front();
        } else if (letter == '\n') {
            json += "\\n";
        } else if (letter == '\t') {
            json += "\\t";
        } else if (letter < 0x20 || letter == 0x7F) {
            json += fmt::format("\\u{:04x}", letter);
        } else if (const std::size_t length = length_of_character(text); length > 0) {
            json += text.substr(0, length);
            taken = length;
        } else {
            json += replacement;
        }
        text.remove_prefix(taken);
    }
    json += '"';
}

void Json::separate() {
    if (!fresh_) {
        text_ += ',';
    }
    fresh_ = false;
}

Json& Json::open(char bracket) {
    separate();
    text_ += bracket;
    fresh_ = true;
    return *this;
}

Json& Json::close(char bracket) {
    text_ += bracket;
    fresh_ = false;
    return *this;
}

Json& Json::key(std::string_view name) {
    separate();
    append_quoted(text_, name);
    text_ += ':';
    fresh_ = true;
    return *this;
}

Json& Json::value(std::string_view text) {
    separate();
    append_quoted(text_, text);
    return *this;
}

Json& Json::value(bool truth) {
    separate();
    text_ += truth ? "true" : "false";
    return *this;
}

Json& Json::value(double number) {
    separate();
    text_ += std::isfinite(number) ? fmt::format("{}", number) : "null";
    return *this;
}

} // namespace muster::look
