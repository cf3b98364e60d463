// What people read of a pipeline: tables on a terminal, comma-separated files.

#include "exec/execution.hpp"
#include "exec/tasks.hpp"

#include <muster/pipeline/pipeline.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>

namespace muster::data {
namespace {

constexpr std::size_t cell_width_max = 40;

template <class T>
std::string number_text(T value) {
    if constexpr (std::is_same_v<T, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_floating_point_v<T>) {
        return fmt::format("{:.6g}", value);
    } else {
        return fmt::format("{}", value);
    }
}

/// One row's values of a column, the first few if there are many.
std::string cell(const Block& block, std::size_t column, std::uint64_t row) {
    const Field& field = block.fields()[column];
    std::string text;
    if (field.type == ValueType::text) {
        text = block.texts_at(column)[row];
    } else if (!is_real(field.type)) {
        text = std::string(to_string(field.type));
    } else {
        constexpr std::uint64_t shown_max = 6;
        const std::uint64_t width = field.elements();
        const std::uint64_t shown = std::min(width, shown_max);
        visit_real(field.type, [&]<class T>(std::type_identity<T>) {
            const auto* const values =
                reinterpret_cast<const T*>(block.values(column).data()) + row * width;
            for (std::uint64_t i = 0; i < shown; ++i) {
                text += (i == 0 ? "" : " ") + number_text(values[i]);
            }
        });
        if (!field.shape.empty()) {
            text = '[' + text + (shown < width ? " ...]" : "]");
        }
    }
    if (text.size() > cell_width_max) {
        text.resize(cell_width_max - 3);
        text += "...";
    }
    return text;
}

} // namespace

void Pipeline::show(std::int64_t rows) const {
    show(std::cout, rows);
}

void Pipeline::show(std::ostream& out, std::int64_t rows) const {
    const Block block = take(rows);
    if (block.fields().empty()) {
        out << "(no rows)\n";
        return;
    }
    std::vector<std::vector<std::string>> columns;
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < block.fields().size(); ++i) {
        columns.push_back({block.fields()[i].name});
        for (std::uint64_t row = 0; row < block.rows(); ++row) {
            columns.back().push_back(cell(block, i, row));
        }
        std::size_t width = 0;
        for (const std::string& text : columns.back()) {
            width = std::max(width, text.size());
        }
        widths.push_back(width);
    }
    for (std::uint64_t line = 0; line <= block.rows(); ++line) {
        std::string text;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const bool is_left = block.fields()[i].type == ValueType::text;
            text += fmt::format(fmt::runtime(is_left ? "{}{:<{}}" : "{}{:>{}}"),
                                i == 0 ? "" : "  ",
                                columns[i][line],
                                widths[i]);
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out << text << '\n';
    }
}

std::uint64_t Pipeline::write_csv(const std::filesystem::path& file) const {
    const std::filesystem::path unfinished = file.string() + ".unfinished";
    std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
    const auto check = [&] {
        if (!out) {
            throw Error(fmt::format(
                "write_csv: cannot write {}: {}", unfinished.string(), std::strerror(errno)));
        }
    };
    check();
    std::string names;
    std::uint64_t rows = 0;
    try {
        for (const Block& block : apply(exec::csv_step()).iter_blocks()) {
            const std::string_view here = block.texts("#names")[0];
            if (names.empty()) {
                names = here;
                out << names;
            } else if (names != here) {
                throw Error(fmt::format("write_csv: blocks differ in their columns: {}; and: {}",
                                        names.substr(0, names.size() - 1),
                                        here.substr(0, here.size() - 1)),
                            ErrorCode::usage);
            }
            out << block.texts("#lines")[0];
            rows += block.column<std::uint64_t>("#rows")[0];
            check();
        }
        out.close();
        check();
        std::filesystem::rename(unfinished, file);
    } catch (...) {
        out.close();
        std::error_code ignored; // what went wrong first is what is told
        std::filesystem::remove(unfinished, ignored);
        throw;
    }
    return rows;
}

} // namespace muster::data
