#pragma once

#include "data/row_source.hpp"
#include "data/values.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace muster::launcher::data {

/// Columns of a CSV file that become one, a vector in each row.
struct Join {
    std::string name;
    std::string first; ///< Names of columns of the file.
    std::string last;
};

struct CsvOptions {
    char delimiter = ',';
    bool has_header = true;                  ///< If not, columns are c0, c1, …
    std::map<std::string, TypeText> types{}; ///< Of columns, where they are not to be found out.
    std::vector<Join> joins{};
};

/// A file of comma-separated values. Read twice: to find the types, and for the values; a bounded
/// piece at a time.
[[nodiscard]] std::unique_ptr<RowSource> open_csv(const std::filesystem::path& file,
                                                  const CsvOptions& options);

/// An .npy file: one column.
[[nodiscard]] std::unique_ptr<RowSource> open_npy(const std::filesystem::path& file,
                                                  const std::string& column);

/// An .npz file: a column for each array. Deflated ones are unpacked into a temporary file.
[[nodiscard]] std::unique_ptr<RowSource> open_npz(const std::filesystem::path& file);

struct RawOptions {
    TypeText type{};
    std::uint64_t skip_bytes = 0; ///< In front of the values.
    bool is_big_endian = false;
};

/// A file of nothing but values, row after row.
[[nodiscard]] std::unique_ptr<RowSource>
open_raw(const std::filesystem::path& file, const std::string& column, const RawOptions& options);

/// A folder of images of one size: column "images" (height x width x channels, or height x width if
/// grey) and, where they lie in folders in it, "labels", the place of the folder's name among all.
[[nodiscard]] std::unique_ptr<RowSource> open_images(const std::filesystem::path& folder);

} // namespace muster::launcher::data
