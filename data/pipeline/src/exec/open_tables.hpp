#pragma once

#include <muster/data/table.hpp>
#include <muster/pipeline/block.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::data::exec {

/// The file, open: the latest few of this process stay so, since many tasks read of one. A file
/// that has changed is opened again. Columns: these; none: all. Thread-safe.
[[nodiscard]] Table open_table(const std::string& file, const std::vector<std::string>& columns);

/// What a block of its rows has.
/// @throws Error (usage) for a type that blocks do not hold.
[[nodiscard]] std::vector<Field> fields_of(const Table& table);

[[nodiscard]] Block read_block(const Table& table, std::uint64_t first, std::uint64_t rows);

} // namespace muster::data::exec
