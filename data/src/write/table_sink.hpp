#pragma once

#include <muster/data/writer.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace muster::data::write {

/// Where a writer's rows go: one file. Blocks were found fitting before. One thread at a time.
class TableSink {
public:
    TableSink() = default;
    virtual ~TableSink() = default;
    TableSink(const TableSink&) = delete;
    TableSink& operator=(const TableSink&) = delete;

    /// Blocks in the order of the columns, each of `rows` rows.
    virtual void append(std::span<const ColumnBlock> blocks, std::uint64_t rows) = 0;

    /// Writes what is left, closes the file, and makes it safe on disk.
    virtual void close() = 0;
};

/// A piece of a stitched table.
struct Source {
    std::string file; ///< Relative to the folder of the table.
    std::uint64_t rows = 0;
};

/// What those below need of HDF5; defined by the one file that the build selects.
///
/// @param shown  The name for messages.
std::unique_ptr<TableSink> create_sink(const std::filesystem::path& file,
                                       const std::string& shown,
                                       std::vector<NewColumn> columns,
                                       const std::vector<Attribute>& attributes);

/// Writes a file in which each column is the rows of all sources, one after the other.
void create_stitched(const std::filesystem::path& file,
                     const std::string& shown,
                     const std::vector<NewColumn>& columns,
                     std::span<const Source> sources,
                     std::uint64_t generation,
                     const std::vector<Attribute>& attributes);

/// What a stitched table says of itself.
struct Stitched {
    std::uint64_t generation = 0;     ///< 0: no table that was stitched, or none at all.
    std::vector<std::string> sources; ///< Files that it refers to, as they are named in it.
};

[[nodiscard]] Stitched read_stitched(const std::filesystem::path& file);

/// Its generation alone: all that a writer asks for, of a table of however many shards.
[[nodiscard]] std::uint64_t read_generation(const std::filesystem::path& file);

} // namespace muster::data::write
