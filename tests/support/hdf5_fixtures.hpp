#pragma once

#include <muster/data/column.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace muster::test {

/// A dataset to write. The element at flat index i has the value first + i % 10, so that a
/// one-dimensional one makes labels of digits.
struct Hdf5Dataset {
    std::string name;
    std::vector<std::uint64_t> shape;                  ///< {}: a single value.
    data::ElementType type = data::ElementType::uint8; ///< unsupported: strings of 4 bytes.
    std::vector<std::uint64_t> chunk = {};             ///< Given: chunked, and filtered.
    bool is_big_endian = false;
    int first = 0;
    std::vector<std::string> filters = {"deflate"}; ///< Of chunks; also "shuffle", "fletcher32".
    std::uint64_t rows_written = UINT64_MAX;        ///< The others stay as HDF5 fills them.
};

/// A directory of small HDF5 files, good and bad, gone with the object.
class Hdf5Fixtures {
public:
    Hdf5Fixtures();
    ~Hdf5Fixtures();
    Hdf5Fixtures(const Hdf5Fixtures&) = delete;
    Hdf5Fixtures& operator=(const Hdf5Fixtures&) = delete;

    /// A name in the directory; nothing is made.
    [[nodiscard]] std::filesystem::path path(const std::string& name) const;

    /// Writes a file with these datasets; "group/name" makes the group.
    std::filesystem::path write(const std::string& name, const std::vector<Hdf5Dataset>& datasets);

    /// A file as the digits example expects it: images (rows x 28 x 28) and labels (rows), uint8.
    std::filesystem::path write_digits(const std::string& name, std::uint64_t rows);

    /// A file with `rows` ones in "x" (float64), of which one is not a number.
    std::filesystem::path
    write_not_a_number(const std::string& name, std::uint64_t rows, std::uint64_t which);

    /// A virtual dataset "x" of uint8 rows: all rows of "x" of each source, one after another.
    std::filesystem::path write_virtual(const std::string& name,
                                        const std::vector<std::string>& sources,
                                        const std::vector<std::uint64_t>& rows,
                                        std::uint64_t row_elements);

    /// Any bytes.
    std::filesystem::path write_text(const std::string& name, const std::string& text);

private:
    std::filesystem::path directory_;
};

} // namespace muster::test
