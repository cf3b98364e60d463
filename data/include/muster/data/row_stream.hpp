#pragma once

#include <muster/data/writer.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace muster::data {

/// The columns of a file as a writer takes them: to copy a table, with other chunks, filters or
/// shards, whatever its types are.
///
///     data::RowStream rows(from, {});
///     data::FileWriter writer(to, rows.columns());
///     for (std::uint64_t row = 0; row < rows.rows(); row += 1000) {
///         writer.append(rows.read(row, std::min<std::uint64_t>(1000, rows.rows() - row)));
///     }
///
/// One thread at a time. Errors are muster::Error and name file and dataset.
class RowStream {
public:
    /// @param names  Columns to take, in this order; none: all datasets but single values.
    /// @throws Error where columns have different numbers of rows, or a type that cannot be
    /// written.
    RowStream(const std::filesystem::path& file, const std::vector<std::string>& names);
    ~RowStream();
    RowStream(RowStream&&) noexcept;
    RowStream& operator=(RowStream&&) noexcept;

    [[nodiscard]] std::uint64_t rows() const;

    /// As they would be declared to write the same: chunks, filters (where Codec has them) and
    /// attributes, but for those that tie datasets to one another.
    [[nodiscard]] const std::vector<NewColumn>& columns() const;

    /// Rows [first, first + count) of all columns; valid until the next call.
    [[nodiscard]] const std::vector<ColumnBlock>& read(std::uint64_t first, std::uint64_t count);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace muster::data
