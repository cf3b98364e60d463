#pragma once

#include <muster/data/column.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// What a table refuses, and how it says so. Pure: metadata in, muster::Error out.
namespace muster::data::check {

/// "28 x 28"; "one value" for no axis at all.
[[nodiscard]] std::string shape_text(std::span<const std::uint64_t> shape);

/// At least one column, and all of them with the same number of rows.
void same_rows(const std::string& file, const std::vector<Column>& columns);

/// The column is what the program expects.
void matches(const std::string& file, const Column& column, const ColumnSpec& spec);

/// The column can be read as `as` without loss.
void readable(const std::string& file, const Column& column, ElementType as);

/// The column is of strings.
void is_text(const std::string& file, const Column& column);

/// Rows [first, first + count) exist.
void range(const std::string& file, const Column& column, std::uint64_t first, std::uint64_t count);

/// The caller's memory holds exactly `rows` rows.
void fits(const std::string& file,
          const Column& column,
          std::uint64_t rows,
          std::uint64_t elements);

} // namespace muster::data::check
