#include "catalog.hpp"

#include "table_check.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

namespace muster::data {
namespace {

/// Virtual datasets of virtual datasets …: HDF5 has no limit, but nobody needs more.
constexpr int depth_max = 8;

std::string same_shape_text(const Column& column) {
    return fmt::format(
        "rows of {} {}", check::shape_text(std::span(column.shape).subspan(1)), column.type_text);
}

class Maker {
public:
    explicit Maker(const DescribeFile& describe) : describe_(describe) {}

    /// Appends all rows of a dataset to a column's parts.
    void append(std::vector<ColumnPart>& parts,
                const std::string& path,
                const FileStamp& stamp,
                DatasetDescription description) {
        append(parts, path, stamp, description, 0, description.column.rows(), 0);
    }

    Catalog catalog;

private:
    std::size_t file(const std::string& path, const FileStamp& stamp) {
        const auto [found, is_new] = files_.try_emplace(path, catalog.files.size());
        if (is_new) {
            catalog.files.push_back({path, stamp});
        }
        return found->second;
    }

    void append(std::vector<ColumnPart>& parts,
                const std::string& path,
                const FileStamp& stamp,
                DatasetDescription& description,
                std::uint64_t source_row,
                std::uint64_t rows,
                int depth) {
        if (description.pieces.empty() || !has_rows_of_its_sources(path, description)) {
            add_part(parts, path, stamp, description, source_row, rows);
            return;
        }
        if (depth == depth_max) {
            throw Error(
                fmt::format("'{}': dataset '{}' is made of virtual datasets more than {} deep; "
                            "is it made of itself?",
                            path,
                            description.column.name,
                            depth_max));
        }
        for (const VirtualPiece& piece : description.pieces) {
            const std::uint64_t begin = std::max(piece.first_row, source_row);
            const std::uint64_t end = std::min(piece.first_row + piece.rows, source_row + rows);
            if (begin < end) {
                DatasetDescription& source = describe_source(path, description.column, piece);
                append(parts,
                       piece.file,
                       sources_.find(piece.file)->second.stamp,
                       source,
                       piece.source_row + (begin - piece.first_row),
                       end - begin,
                       depth + 1);
            }
        }
    }

    /// Whether a row of the dataset is a row of the dataset it is taken from, and not a part of it.
    bool has_rows_of_its_sources(const std::string& path, const DatasetDescription& description) {
        const Column& column = description.column;
        return std::all_of(
            description.pieces.begin(), description.pieces.end(), [&](const VirtualPiece& piece) {
                const Column& source = describe_source(path, column, piece).column;
                if (piece.source_row > source.rows() ||
                    piece.rows > source.rows() - piece.source_row) {
                    throw Error(fmt::format("'{}': dataset '{}' is made of rows {} to {} of '{}' "
                                            "in '{}', which has {}; "
                                            "write the virtual dataset again",
                                            path,
                                            column.name,
                                            piece.source_row,
                                            piece.source_row + piece.rows - 1,
                                            piece.dataset,
                                            piece.file,
                                            source.rows()));
                }
                return source.type == column.type && source.row_bytes() == column.row_bytes();
            });
    }

    void add_part(std::vector<ColumnPart>& parts,
                  const std::string& path,
                  const FileStamp& stamp,
                  DatasetDescription& description,
                  std::uint64_t source_row,
                  std::uint64_t rows) {
        if (rows == 0) {
            return;
        }
        const std::uint64_t first = parts.empty() ? 0 : parts.back().first_row + parts.back().rows;
        const auto [found, is_new] = datasets_.try_emplace(
            fmt::format("{}\n{}", path, description.column.name), catalog.datasets.size());
        if (is_new) {
            catalog.datasets.push_back(
                {description.column, description.storage, file(path, stamp)});
        }
        parts.push_back({first, rows, source_row, found->second});
    }

    DatasetDescription& describe_source(const std::string& virtual_path,
                                        const Column& virtual_column,
                                        const VirtualPiece& piece) {
        const auto [file, is_new] = sources_.try_emplace(piece.file);
        for (const auto& known : file->second.datasets) {
            if (known->column.name == piece.dataset) {
                return *known;
            }
        }
        try {
            FileDescription described = describe_(piece.file, {piece.dataset});
            file->second.stamp = described.stamp;
            file->second.datasets.push_back(
                std::make_unique<DatasetDescription>(std::move(described.datasets.front())));
        } catch (const Error& error) {
            throw Error(
                fmt::format("'{}': dataset '{}' is made of others, of which one is missing: {}",
                            virtual_path,
                            virtual_column.name,
                            error.what()));
        }
        return *file->second.datasets.back();
    }

    /// A file that virtual datasets are made of; descriptions stay where they are.
    struct Source {
        FileStamp stamp;
        std::vector<std::unique_ptr<DatasetDescription>> datasets;
    };

    const DescribeFile& describe_;
    std::map<std::string, Source> sources_;
    std::unordered_map<std::string, std::size_t> files_;
    std::unordered_map<std::string, std::size_t> datasets_;
};

void check_same(const std::string& first_path,
                const Column& first,
                const std::string& path,
                const Column& column) {
    const bool is_same_row = std::equal(
        first.shape.begin() + 1, first.shape.end(), column.shape.begin() + 1, column.shape.end());
    if (!is_same_row || first.type != column.type || first.element_bytes != column.element_bytes) {
        throw Error(
            fmt::format("dataset '{}' has {} in '{}' but {} in '{}'; files of one table need "
                        "the same, so convert one, or open them apart",
                        first.name,
                        same_shape_text(first),
                        first_path,
                        same_shape_text(column),
                        path));
    }
}

std::string name_of(const std::vector<std::string>& files) {
    return files.size() == 1
               ? files.front()
               : fmt::format("{}' and {} more file{}",
                             files.front(),
                             files.size() - 1,
                             files.size() == 2 ? "" : "s") // the text is put between quotes
        ;
}

} // namespace

const ColumnPart& Catalog::part(std::size_t column, std::uint64_t row) const {
    const std::vector<ColumnPart>& all = parts[column];
    if (all.size() == 1) {
        return all.front();
    }
    return *(std::upper_bound(all.begin(),
                              all.end(),
                              row,
                              [](std::uint64_t wanted, const ColumnPart& part) {
                                  return wanted < part.first_row;
                              }) -
             1);
}

Catalog make_catalog(const std::vector<std::string>& files,
                     const std::vector<std::string>& names,
                     const DescribeFile& describe) {
    Maker maker(describe);
    Catalog& catalog = maker.catalog;
    catalog.name = name_of(files);
    std::vector<std::string> wanted = names;
    for (const std::string& path : files) {
        FileDescription file = describe(path, wanted);
        std::vector<Column> columns;
        for (const DatasetDescription& dataset : file.datasets) {
            columns.push_back(dataset.column);
        }
        check::same_rows(path, columns);
        if (catalog.columns.empty()) {
            catalog.columns = columns;
            catalog.parts.resize(columns.size());
            wanted.clear();
            for (Column& column : catalog.columns) {
                wanted.push_back(column.name);
                column.shape[0] = 0;
                column.stored_bytes = 0;
            }
        }
        for (std::size_t i = 0; i < columns.size(); ++i) {
            check_same(files.front(), catalog.columns[i], path, columns[i]);
            catalog.columns[i].shape[0] += columns[i].rows();
            catalog.columns[i].stored_bytes += columns[i].stored_bytes;
            maker.append(catalog.parts[i], path, file.stamp, std::move(file.datasets[i]));
        }
    }
    return std::move(catalog);
}

std::vector<std::string> matching_files(const std::string& pattern) {
    std::error_code ignored;
    if (pattern.find_first_of("*?[") == std::string::npos ||
        std::filesystem::exists(pattern, ignored)) {
        return {pattern};
    }
    ::glob_t found{};
    const int result = ::glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
    std::vector<std::string> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    if (result != 0 || files.empty()) {
        throw Error(fmt::format("no file matches '{}'; check the path, seen from the directory the "
                                "program was started in",
                                pattern));
    }
    return files;
}

} // namespace muster::data
