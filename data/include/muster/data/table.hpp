#pragma once

#include <muster/data/column.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::data {

class Reader;

struct TableOptions {
    /// Which datasets are the columns, and what is expected of them; none: every dataset of the
    /// file.
    std::vector<ColumnSpec> columns = {};
    /// Decoded chunks, and columns of short rows, are kept in memory for the next read up to so
    /// many bytes. A bound: memory is taken as it is used.
    std::uint64_t memory_bytes_max = 256U << 20U;
    /// Where what HDF5 says of the files (columns, where their chunks lie) is kept between runs, so
    /// that thousands of files need not be opened. Read if it is there; written anew where files
    /// were missing from it or have changed since. Empty: nowhere.
    std::filesystem::path index_file = {};
};

/// What reading a table has taken so far.
struct ReadStatistics {
    std::uint64_t bytes_read = 0;     ///< From files, as stored.
    std::uint64_t reads = 0;          ///< Calls that asked for them.
    std::uint64_t chunks_decoded = 0; ///< Chunks taken through their filters.
};

/// Where processes of a node find the decoded chunks that one of them shares; plain numbers, to be
/// sent as they are. See node_cache.hpp.
struct SharedChunks {
    std::int64_t process = 0;
    std::int64_t descriptor = -1;
    std::uint64_t nonce = 0;
};

/// Columns of HDF5 files that share their first axis, open for reading.
///
/// Of several files, the rows of the second follow those of the first, and so on. A virtual dataset
/// is read as the datasets it is made of. Files may be written by h5py, netCDF-4, parallel HDF5 or
/// any other program; `Column` says what a column is.
///
/// Rows are read outside HDF5 and its lock: where bytes lie is asked once, when the table is
/// opened; deflate, shuffle, Fletcher32, LZF, LZ4, Zstandard and Blosc are undone here, by any
/// number of threads (the last four where their libraries were found). What is stored otherwise is
/// read by HDF5, one call at a time.
///
/// A Table is a handle: copies share the open files and the memory. Every call may be made from any
/// thread. A process forked from this one must not use it.
///
/// Errors are muster::Error and name the file, the dataset and, where HDF5 failed, its reason: a
/// missing file, a truncated one, one that is not HDF5, a dataset that is missing or has the wrong
/// shape or type, files that differ, a row outside the table, a damaged chunk (with its offset), a
/// file that changed since it was opened, a filter whose plugin is missing.
class Table {
public:
    /// Opens the columns and checks them; they must share their first axis. Other datasets of the
    /// file are left alone.
    /// @param file  A name, or a pattern (`*`, `?`, `[…]`) for several, in order of name.
    static Table open(const std::filesystem::path& file, const TableOptions& options = {});

    /// Opens several files, in the order given.
    static Table open_files(const std::vector<std::filesystem::path>& files,
                            const TableOptions& options = {});

    /// The file as it was named in open(); of several, the first, "and … more".
    [[nodiscard]] const std::string& file() const;
    [[nodiscard]] std::uint64_t rows() const;
    [[nodiscard]] const std::vector<Column>& columns() const;

    /// Throws Error, naming the columns there are, when there is no such column.
    [[nodiscard]] const Column& column(std::string_view name) const;

    /// Reads rows [first, first + count) into `out`, row-major; its size must be exactly
    /// count * row_elements(). T is the stored type or a wider one, see widens().
    template <class T, std::size_t extent>
    void read_rows(std::string_view name,
                   std::uint64_t first,
                   std::uint64_t count,
                   std::span<T, extent> out) const {
        read_rows(name, first, count, element_type_of<T>(), std::as_writable_bytes(out));
    }

    /// The same for a type that is known when the program runs, into memory for it.
    void read_rows(std::string_view name,
                   std::uint64_t first,
                   std::uint64_t count,
                   ElementType as,
                   std::span<std::byte> out) const;

    /// Reads any rows, in the order given; a row may come up more than once. As read_rows().
    template <class T, std::size_t extent>
    void gather(std::string_view name,
                std::span<const std::uint64_t> rows,
                std::span<T, extent> out) const {
        gather(name, rows, element_type_of<T>(), std::as_writable_bytes(out));
    }

    void gather(std::string_view name,
                std::span<const std::uint64_t> rows,
                ElementType as,
                std::span<std::byte> out) const;

    /// The strings of rows [first, first + count), count * row_elements() of them. The column is of
    /// strings, whether of fixed or of any length. Through HDF5, one call at a time.
    [[nodiscard]] std::vector<std::string>
    read_strings(std::string_view name, std::uint64_t first, std::uint64_t count) const;

    /// In which blocks a column is best read: the first rows of them, ascending, 0 first (none of
    /// an empty table). A block is a whole number of chunks. Depends on the files only.
    [[nodiscard]] std::vector<std::uint64_t> block_starts(std::string_view name) const;

    /// Of all copies of this handle.
    [[nodiscard]] ReadStatistics statistics() const;

    /// A handle of the same files whose decoded chunks lie in memory that other processes of this
    /// user and node can open, memory_bytes_max in all, reserved at once. See share_on_node() for
    /// how ranks agree.
    [[nodiscard]] Table share_chunks(std::uint64_t nonce) const;
    [[nodiscard]] SharedChunks shared_chunks() const;
    /// @param member  From 1 on, below 256; of each process another.
    [[nodiscard]] Table with_chunks_of(const SharedChunks& other, std::uint32_t member) const;

private:
    friend class LoaderEngine;

    explicit Table(std::shared_ptr<Reader> reader) : reader_(std::move(reader)) {}

    [[nodiscard]] std::size_t checked_column(std::string_view name,
                                             std::uint64_t rows,
                                             ElementType as,
                                             std::uint64_t bytes) const;

    std::shared_ptr<Reader> reader_;
};

} // namespace muster::data
