#pragma once

#include <muster/data/new_column.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace muster::data {

/// Values of some rows of one column, row-major; borrowed from the caller for the call.
struct ColumnBlock {
    std::string_view column;
    ElementType type = ElementType::float32;
    std::uint64_t elements = 0;
    const void* values = nullptr;              ///< Of numbers and fixed strings.
    std::span<const std::string> strings = {}; ///< Of strings of any length.
};

/// A block of numbers, bools or complex numbers, exactly of the column's type, or of texts.
template <class T, std::size_t extent>
[[nodiscard]] ColumnBlock block(std::string_view column, std::span<const T, extent> values) {
    if constexpr (std::is_same_v<T, std::string>) {
        return {column, ElementType::string, values.size(), nullptr, values};
    } else {
        return {column, element_type_of<T>(), values.size(), values.data(), {}};
    }
}

template <class T>
[[nodiscard]] ColumnBlock block(std::string_view column, const std::vector<T>& values) {
    static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no bools to point at");
    return block(column, std::span<const T>(values));
}

struct WriteOptions {
    /// What is at the path already may be replaced, at once, when the new one is complete. If not,
    /// it is an error to begin.
    bool replace = false;
    std::vector<Attribute> attributes = {}; ///< Of the whole table.
};

/// Writes columns to one HDF5 file. Readers see nothing of it until finish() has put the whole file
/// in its place: it is written beside it, as "<path>.part-…", made safe on disk, and renamed. An
/// object that is destroyed before that takes its rows with it.
///
/// Rows are gathered until there is a chunk of them, so a column keeps about 1 MiB in memory, and
/// blocks of any size are fine. One thread at a time.
///
/// Errors are muster::Error and leave what was at the path before: no room on the disk, no such
/// directory, a path that exists, a codec this HDF5 has not; UsageError for columns or blocks that
/// do not fit. After a failed append() the writer is of no more use.
class FileWriter {
public:
    FileWriter(const std::filesystem::path& path,
               std::vector<NewColumn> columns,
               WriteOptions options = {});
    ~FileWriter();
    FileWriter(FileWriter&&) noexcept;
    FileWriter& operator=(FileWriter&&) noexcept;

    /// Appends rows: one block for each column, in any order, all with the same number of rows.
    void append(std::span<const ColumnBlock> blocks);

    void append(std::initializer_list<ColumnBlock> blocks) {
        append(std::span<const ColumnBlock>(blocks.begin(), blocks.size()));
    }

    /// Rows appended until now.
    [[nodiscard]] std::uint64_t rows() const;

    /// Makes the file visible under its path. Call once; append() no more.
    void finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// What one writer of a sharded table has written. A task can return it, and commit() needs those
/// of all writers.
struct ShardSummary {
    std::uint32_t shard = 0;      ///< Its place among the shards: rows follow in this order.
    std::string file;             ///< Name in the folder of shards.
    std::uint64_t generation = 0; ///< Which version of the table it is for.
    std::uint64_t rows = 0;
    std::uint64_t file_bytes = 0;
    std::vector<NewColumn> columns;

    bool operator==(const ShardSummary&) const = default;
};

/// Writes one shard of a table that several write at once, each on its own and without a message:
///
///     data::ShardSummary write(std::string path, std::uint32_t shard) { // a task
///         data::ShardWriter writer(path, shard, {data::new_column<float>("x", {784})});
///         writer.append({data::block("x", values)});
///         return writer.finish();
///     }
///     data::commit(path, summaries); // of all writers, once
///
/// The shard lies in the folder "<path>.shards" under a name of its own, so that a writer that is
/// tried again, or is late, disturbs nobody. Nothing refers to it until commit(). As FileWriter for
/// the rest: memory, threads, errors.
class ShardWriter {
public:
    /// @param path   Of the table, the same for all writers.
    /// @param shard  Of 0, 1, 2, …: rows follow one another in this order.
    ShardWriter(const std::filesystem::path& path,
                std::uint32_t shard,
                std::vector<NewColumn> columns,
                WriteOptions options = {});
    ~ShardWriter();
    ShardWriter(ShardWriter&&) noexcept;
    ShardWriter& operator=(ShardWriter&&) noexcept;

    /// As FileWriter::append(). A shard may end without any rows.
    void append(std::span<const ColumnBlock> blocks);

    void append(std::initializer_list<ColumnBlock> blocks) {
        append(std::span<const ColumnBlock>(blocks.begin(), blocks.size()));
    }

    [[nodiscard]] std::uint64_t rows() const;

    /// Makes the shard safe on disk. Call once; append() no more.
    [[nodiscard]] ShardSummary finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// What commit() did.
struct Committed {
    std::uint64_t generation = 0;
    std::uint64_t rows = 0;
    std::vector<std::string> removed = {}; ///< Files of older versions and of interrupted writers.
};

/// Puts all shards together: `path` becomes an HDF5 file of virtual datasets, which any HDF5 from
/// 1.10 on reads as one table. It names its shards relative to itself, so that its folder may be
/// moved.
///
/// Readers see the old table or the new one. The shards of the version before stay, for those that
/// have it open; older ones, and what interrupted writers left, are removed. Where two jobs write
/// the same table, the one that commits second gets an error, and the first one's table stays.
///
/// @param shards  One for each shard 0 … n - 1, in any order.
/// docs/design/0025-writing-datasets.md has the protocol.
Committed commit(const std::filesystem::path& path,
                 std::span<const ShardSummary> shards,
                 WriteOptions options = {});

/// A file that a table does not need.
struct Leftover {
    std::string file;
    std::string what; ///< "not finished: …", "of an older version", …
};

/// What lies beside `path`, with the names that writers give, and belongs neither to its present
/// version nor to the one before. Files of a writer that is still at work are among them.
[[nodiscard]] std::vector<Leftover> leftovers(const std::filesystem::path& path);

} // namespace muster::data
