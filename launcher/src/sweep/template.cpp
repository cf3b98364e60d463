#include "sweep/template.hpp"

#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace muster::launcher::sweep {
namespace {

bool is_word(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char letter) {
        return std::isalnum(letter) != 0 || letter == '_' || letter == '-';
    });
}

std::string listed(const std::vector<std::string>& columns) {
    std::vector<std::string> names;
    for (const std::string& column : columns) {
        if (!column.empty()) {
            names.push_back("{" + column + "}");
        }
    }
    return fmt::format("{}", fmt::join(names, " "));
}

bool have_names(const std::vector<std::string>& columns) {
    return std::any_of(
        columns.begin(), columns.end(), [](const std::string& name) { return !name.empty(); });
}

} // namespace

std::optional<Template::Piece> Template::parse(std::string_view inside,
                                               const std::vector<std::string>& columns) {
    if (inside == "#") {
        return Piece{What::number, {}, 0, {}};
    }
    if (inside == "%") {
        return Piece{What::slot, {}, 0, {}};
    }
    Part part = Part::whole;
    constexpr std::array<std::pair<std::string_view, Part>, 4> endings{{{"//", Part::folder},
                                                                        {"/.", Part::bare_name},
                                                                        {"/", Part::name},
                                                                        {".", Part::no_extension}}};
    std::string_view name = inside;
    // A column's name may end in a dot or slash itself.
    const auto is_column = [&](std::string_view text) {
        return !text.empty() && std::find(columns.begin(), columns.end(), text) != columns.end();
    };
    if (!is_column(name)) {
        for (const auto& [ending, meaning] : endings) {
            if (name.ends_with(ending)) {
                name.remove_suffix(ending.size());
                part = meaning;
                break;
            }
        }
    }
    if (name.empty()) {
        return Piece{What::all, part, 0, {}};
    }
    if (const auto place = std::find(columns.begin(), columns.end(), name);
        place != columns.end()) {
        return Piece{What::column, part, static_cast<std::size_t>(place - columns.begin()), {}};
    }
    if (const auto number = parse_whole<std::size_t>(name)) {
        if (*number < 1 || *number > columns.size()) {
            throw UsageError(fmt::format("{{{}}} is not there: a command has {} value{}",
                                         inside,
                                         columns.size(),
                                         columns.size() == 1 ? "" : "s"));
        }
        return Piece{What::column, part, *number - 1, {}};
    }
    if (have_names(columns) && is_word(name)) {
        throw UsageError(
            fmt::format("there is no column '{}', only {}; to mean the text, write {{{{{}}}}}",
                        name,
                        listed(columns),
                        inside));
    }
    return std::nullopt;
}

Template::Template(std::string_view text, const std::vector<std::string>& columns) {
    std::string literal;
    const auto flush = [&] {
        if (!literal.empty()) {
            pieces_.push_back({What::text, {}, 0, std::exchange(literal, {})});
        }
    };
    std::size_t i = 0;
    while (i < text.size()) {
        if (text[i] != '{') {
            literal += text[i++];
            continue;
        }
        const auto close = text.find('}', i);
        if (close == std::string_view::npos) {
            literal += text.substr(i);
            break;
        }
        // {{word}} is the text {word}.
        if (have_names(columns) && text.substr(i).starts_with("{{") &&
            text.substr(close).starts_with("}}") && is_word(text.substr(i + 2, close - i - 2))) {
            literal += text.substr(i + 1, close - i);
            i = close + 2;
            continue;
        }
        if (auto piece = parse(text.substr(i + 1, close - i - 1), columns)) {
            flush();
            pieces_.push_back(std::move(*piece));
            i = close + 1;
        } else {
            literal += text[i++];
        }
    }
    flush();
}

std::string Template::part_of(std::string_view value, Part part) {
    const auto slash = value.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? value : value.substr(slash + 1);
    const auto without_extension = [](std::string_view text, std::size_t name_begin) {
        const auto dot = text.rfind('.');
        return dot == std::string_view::npos || dot <= name_begin ? text : text.substr(0, dot);
    };
    switch (part) {
    case Part::whole:
        break;
    case Part::no_extension:
        return std::string(
            without_extension(value, slash == std::string_view::npos ? 0 : slash + 1));
    case Part::name:
        return std::string(name);
    case Part::bare_name:
        return std::string(without_extension(name, 0));
    case Part::folder:
        if (slash == std::string_view::npos) {
            return ".";
        }
        return slash == 0 ? "/" : std::string(value.substr(0, slash));
    }
    return std::string(value);
}

std::string
Template::fill(const Row& row, std::uint64_t number, std::string (*quote)(std::string_view)) const {
    std::string text;
    const auto put = [&](std::string_view value, Part part) {
        const std::string shown = part_of(value, part);
        text += quote != nullptr ? quote(shown) : shown;
    };
    for (const Piece& piece : pieces_) {
        switch (piece.what) {
        case What::text:
            text += piece.text;
            break;
        case What::all:
            for (std::size_t i = 0; i < row.size(); ++i) {
                text += i == 0 ? "" : " ";
                put(row[i], piece.part);
            }
            break;
        case What::column:
            put(row.at(piece.column), piece.part);
            break;
        case What::number:
            text += std::to_string(number);
            break;
        case What::slot:
            text += slot_mark;
            break;
        }
    }
    return text;
}

bool Template::has_values() const {
    return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
        return piece.what == What::all || piece.what == What::column;
    });
}

} // namespace muster::launcher::sweep
