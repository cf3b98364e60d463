#pragma once

#include "storage.hpp"

#include <muster/data/column.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace muster::data {

/// A dataset that some rows of a column lie in.
struct StoredDataset {
    Column column; ///< Its own shape, layout and filters.
    Storage storage;
    std::size_t file = 0; ///< Of Catalog::files.
};

/// Rows of a column that are rows of one dataset, in order.
struct ColumnPart {
    std::uint64_t first_row = 0; ///< In the column.
    std::uint64_t rows = 0;
    std::uint64_t source_row = 0; ///< In the dataset.
    std::size_t dataset = 0;      ///< Of Catalog::datasets.
};

/// Which rows of which datasets of which files make the columns of a table.
struct Catalog {
    struct File {
        std::string path;
        FileStamp stamp;
    };

    std::string name; ///< For errors: the file, or "… and 12 more files".
    std::vector<File> files;
    std::vector<StoredDataset> datasets;
    std::vector<Column> columns;
    std::vector<std::vector<ColumnPart>> parts; ///< Of each column, in order; none is empty.

    /// The part that `row` of `column` is in; there must be such a row.
    [[nodiscard]] const ColumnPart& part(std::size_t column, std::uint64_t row) const;
};

/// As describe_file(); may know the answer already.
using DescribeFile =
    std::function<FileDescription(const std::string& path, const std::vector<std::string>& names)>;

/// Makes one table of files whose rows follow one another in the order given. The columns are those
/// named, or all of the first file; every file has them, with the same types and row shapes.
/// Virtual datasets are taken apart into the datasets they are made of, where that can be.
/// @param files  At least one.
/// Throws Error.
[[nodiscard]] Catalog make_catalog(const std::vector<std::string>& files,
                                   const std::vector<std::string>& names,
                                   const DescribeFile& describe);

/// The files that `pattern` stands for, in order of name: itself if there is such a file, or those
/// that match it as a shell would. Throws Error where there are none.
[[nodiscard]] std::vector<std::string> matching_files(const std::string& pattern);

} // namespace muster::data
