#pragma once

#include <muster/data/writer.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace muster::launcher::data {

using muster::data::ColumnBlock;
using muster::data::NewColumn;

/// Rows to be written, from whatever file. One thread; errors are muster::Error and name the file.
class RowSource {
public:
    RowSource() = default;
    virtual ~RowSource() = default;
    RowSource(const RowSource&) = delete;
    RowSource& operator=(const RowSource&) = delete;

    /// As they are to be declared; chunks and filters are the caller's choice.
    [[nodiscard]] virtual const std::vector<NewColumn>& columns() const = 0;
    [[nodiscard]] virtual std::uint64_t rows() const = 0;

    /// The next `count` rows of all columns, in their order; valid until the next call. Together no
    /// more than rows().
    [[nodiscard]] virtual const std::vector<ColumnBlock>& next(std::uint64_t count) = 0;
};

/// One after the other; all have the same columns.
/// @param names  Of the sources, for messages.
[[nodiscard]] std::unique_ptr<RowSource>
one_after_the_other(std::vector<std::unique_ptr<RowSource>> sources,
                    const std::vector<std::string>& names);

/// Beside one another: the columns of all, which have the same number of rows.
[[nodiscard]] std::unique_ptr<RowSource>
side_by_side(std::vector<std::unique_ptr<RowSource>> sources,
             const std::vector<std::string>& names);

/// A file of HDF5.
/// @param columns  Those to take; none: all.
[[nodiscard]] std::unique_ptr<RowSource> open_table(const std::filesystem::path& file,
                                                    const std::vector<std::string>& columns);

} // namespace muster::launcher::data
