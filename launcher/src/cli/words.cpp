#include "cli/words.hpp"

#include <muster/slurm/batch_script.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace muster::launcher {
namespace {

bool is_blank(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
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

std::string shell_line(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) {
        line += (line.empty() ? "" : " ") + slurm::shell_quoted(word);
    }
    return line;
}

} // namespace muster::launcher
