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

class TableSource;

struct TableOptions {
    /// Columns are kept in memory, as stored, after their first use while they fit in this many
    /// bytes altogether; the others are read from the file each time.
    std::uint64_t memory_bytes_max = 0;
};

/// Columns of one HDF5 file that share their first axis, open for reading.
///
/// A Table is a handle: copies share the open file, which is closed with the last of them.
/// Every call may be made from any thread; HDF5 itself takes them one at a time.
///
/// Errors are muster::Error and name the file, the dataset and, where HDF5 failed, its reason:
/// a missing file, a truncated one, one that is not HDF5, a dataset that is missing or has the
/// wrong shape or type, a row outside the table.
class Table {
public:
    /// Opens every dataset of the file; they must share their first axis.
    static Table open(const std::filesystem::path& file, TableOptions options = {});

    /// Opens the named columns and checks them; other datasets of the file are left alone.
    static Table open(const std::filesystem::path& file,
                      const std::vector<ColumnSpec>& columns,
                      TableOptions options = {});

    /// The file as it was named in open().
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
        read_rows(name, first, count, element_type_of<T>(), out.data(), out.size());
    }

    /// Reads any rows, in the order given; a row may come up more than once. As read_rows().
    template <class T, std::size_t extent>
    void gather(std::string_view name,
                std::span<const std::uint64_t> rows,
                std::span<T, extent> out) const {
        gather(name, rows, element_type_of<T>(), out.data(), out.size());
    }

private:
    explicit Table(std::shared_ptr<TableSource> source);

    void read_rows(std::string_view name,
                   std::uint64_t first,
                   std::uint64_t count,
                   ElementType as,
                   void* out,
                   std::uint64_t elements) const;
    void gather(std::string_view name,
                std::span<const std::uint64_t> rows,
                ElementType as,
                void* out,
                std::uint64_t elements) const;
    [[nodiscard]] std::size_t checked_column(std::string_view name,
                                             std::uint64_t rows,
                                             ElementType as,
                                             std::uint64_t elements) const;

    std::shared_ptr<TableSource> source_;
};

} // namespace muster::data
