#include "table_check.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data::check {

std::string shape_text(std::span<const std::uint64_t> shape) {
    if (shape.empty()) {
        return "one value";
    }
    return fmt::format("{}", fmt::join(shape, " x "));
}

void same_rows(const std::string& file, const std::vector<Column>& columns) {
    if (columns.empty()) {
        throw Error(fmt::format("'{}' has no dataset with a first axis to count rows along; check "
                                "that it is the right file",
                                file));
    }
    for (const Column& column : columns) {
        if (column.rows() != columns.front().rows()) {
            throw Error(fmt::format("'{}': dataset '{}' has {} rows but '{}' has {}; the columns "
                                    "of a table need the same number, so open only those that "
                                    "belong together",
                                    file,
                                    columns.front().name,
                                    columns.front().rows(),
                                    column.name,
                                    column.rows()));
        }
    }
}

void matches(const std::string& file, const Column& column, const ColumnSpec& spec) {
    if (spec.row_shape) {
        const std::vector<std::uint64_t> row(column.shape.begin() + 1, column.shape.end());
        if (row != *spec.row_shape) {
            throw Error(fmt::format("'{}': dataset '{}' has shape {}, so a row is {}, but rows of "
                                    "{} are needed; check that it is the right file",
                                    file,
                                    column.name,
                                    shape_text(column.shape),
                                    shape_text(row),
                                    shape_text(*spec.row_shape)));
        }
    }
    if (spec.read_as == ElementType::string) {
        is_text(file, column);
    } else if (spec.read_as != ElementType::unsupported) {
        readable(file, column, spec.read_as);
    }
}

void readable(const std::string& file, const Column& column, ElementType as) {
    if (!widens(column.type, as)) {
        throw Error(fmt::format("'{}': dataset '{}' holds {} values, which cannot be read as {} "
                                "without loss; convert the dataset, or read it as a type that "
                                "holds all its values",
                                file,
                                column.name,
                                column.type_text,
                                to_string(as)));
    }
}

void is_text(const std::string& file, const Column& column) {
    if (column.type != ElementType::string && column.type != ElementType::fixed_string) {
        throw Error(
            fmt::format("'{}': dataset '{}' holds {} values, not strings; read it as numbers",
                        file,
                        column.name,
                        column.type_text),
            ErrorCode::usage);
    }
}

void range(const std::string& file,
           const Column& column,
           std::uint64_t first,
           std::uint64_t count) {
    if (count <= column.rows() && first <= column.rows() - count) {
        return;
    }
    throw Error(fmt::format("'{}': row {} of dataset '{}' was asked for, but it has {} rows; rows "
                            "are numbered from 0",
                            file,
                            std::max(first, column.rows()),
                            column.name,
                            column.rows()),
                ErrorCode::usage);
}

void fits(const std::string& file,
          const Column& column,
          std::uint64_t rows,
          std::uint64_t elements) {
    if (elements != rows * column.row_elements()) {
        throw Error(fmt::format("'{}': {} rows of dataset '{}' are {} values, but there is room "
                                "for {}; size the output to rows x values in a row",
                                file,
                                rows,
                                column.name,
                                rows * column.row_elements(),
                                elements),
                    ErrorCode::usage);
    }
}

} // namespace muster::data::check
