#include "sweep/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace muster::launcher {
namespace {

bool is_blank(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

bool is_plain(unsigned char letter) {
    return std::isalnum(letter) != 0 ||
           std::string_view("_-./:=@%+,").find(static_cast<char>(letter)) != std::string_view::npos;
}

} // namespace

Result<std::vector<std::string>> split_words(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool open = false; // a word, perhaps an empty one
    std::size_t i = 0;
    const auto unended = [&](char quote) {
        return Failure{ErrorCode::usage, fmt::format("a {} does not end: {}", quote, line)};
    };
    while (i < line.size()) {
        const char letter = line[i++];
        if (is_blank(letter)) {
            if (open) {
                words.push_back(std::move(word));
            }
            word.clear();
            open = false;
        } else if (letter == '#' && !open) {
            break;
        } else if (letter == '\'') {
            const auto end = line.find('\'', i);
            if (end == std::string_view::npos) {
                return unended('\'');
            }
            word += line.substr(i, end - i);
            open = true;
            i = end + 1;
        } else if (letter == '"') {
            open = true;
            for (;; ++i) {
                if (i >= line.size()) {
                    return unended('"');
                }
                if (line[i] == '"') {
                    ++i;
                    break;
                }
                if (line[i] == '\\' && i + 1 < line.size() &&
                    std::string_view("\"\\$`").find(line[i + 1]) != std::string_view::npos) {
                    ++i;
                }
                word += line[i];
            }
        } else if (letter == '\\' && i < line.size()) {
            word += line[i++];
            open = true;
        } else {
            word += letter;
            open = true;
        }
    }
    if (open) {
        words.push_back(std::move(word));
    }
    return words;
}

std::string shell_quoted(std::string_view text) {
    if (!text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
            return is_plain(static_cast<unsigned char>(letter));
        })) {
        return std::string(text);
    }
    std::string quoted = "'";
    for (const char letter : text) {
        quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    }
    return quoted + "'";
}

std::string shell_line(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) {
        line += (line.empty() ? "" : " ") + shell_quoted(word);
    }
    return line;
}

} // namespace muster::launcher
