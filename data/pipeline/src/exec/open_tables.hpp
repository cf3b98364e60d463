#pragma once

#include <muster/data/table.hpp>
#include <muster/pipeline/block.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::data::exec {

/// The file, open: the latest few of this process stay so, since many tasks read of one. A file
/// that has changed is opened again. Has these columns, and maybe others; none: all. Thread-safe.
[[nodiscard]] Table open_table(const std::string& file, const std::vector<std::string>& columns);

/// What a block of its rows has: these columns; none: all.
/// @throws Error (usage) for a type that blocks do not hold.
[[nodiscard]] std::vector<Field> fields_of(const Table& table,
                                           const std::vector<std::string>& columns);

/// As which type values are written to files.
[[nodiscard]] ElementType element_type_of_value(ValueType type);

[[nodiscard]] Block read_block(const Table& table,
                               const std::vector<std::string>& columns,
                               std::uint64_t first,
                               std::uint64_t rows);

} // namespace muster::data::exec
