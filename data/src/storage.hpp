#pragma once

#include "file_set.hpp"

#include <muster/data/column.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// Where the bytes of datasets lie, as HDF5 was asked once.
namespace muster::data {

inline constexpr std::uint64_t no_address = std::numeric_limits<std::uint64_t>::max();

struct StoredChunk {
    std::uint64_t address = no_address; ///< In the file; none: never written, all fill values.
    std::uint64_t bytes = 0;            ///< In the file, after the filters.
    std::uint32_t filter_mask = 0;      ///< Bit i: filter i was skipped.

    bool operator==(const StoredChunk&) const = default;
};

/// Where the bytes of one dataset lie.
struct Storage {
    enum class Kind : std::uint8_t {
        contiguous, ///< From `address` on, or nowhere yet.
        chunked,    ///< In `chunks`.
        opaque,     ///< HDF5 has to be asked, because of `opaque_reason`.
    };

    Kind kind = Kind::opaque;
    std::uint64_t address = no_address;
    std::vector<StoredChunk> chunks;   ///< In row-major order of the grid of chunks.
    std::vector<std::byte> fill_value; ///< One element as stored; empty: zeros.
    std::string opaque_reason;

    bool operator==(const Storage&) const = default;
};

/// Rows of a virtual dataset that are rows of another, in order and whole.
struct VirtualPiece {
    std::uint64_t first_row = 0; ///< In the virtual dataset.
    std::uint64_t rows = 0;
    std::string file; ///< As it can be opened from the working directory.
    std::string dataset;
    std::uint64_t source_row = 0;

    bool operator==(const VirtualPiece&) const = default;
};

struct DatasetDescription {
    Column column;
    Storage storage;
    /// Of a virtual dataset that is nothing but such pieces, in order of first_row; else empty.
    std::vector<VirtualPiece> pieces;

    bool operator==(const DatasetDescription&) const = default;
};

/// What is known of a file without opening it again.
struct FileDescription {
    FileStamp stamp;
    /// Whether `datasets` are all those that share an axis to count rows along, in order of name.
    bool is_complete = false;
    std::vector<DatasetDescription> datasets;

    bool operator==(const FileDescription&) const = default;
};

/// Opens the file with HDF5 and describes the named datasets, in that order, or all where `names`
/// is empty. Names are without a leading '/'. Throws Error. This and open_with_hdf5() are defined
/// by the files of hdf5/, or by without_hdf5.cpp.
[[nodiscard]] FileDescription describe_file(const std::string& path,
                                            const std::vector<std::string>& names);

/// Reads rows through HDF5, one call at a time: what cannot be read directly. Calls from any
/// thread.
class Hdf5Rows {
public:
    virtual ~Hdf5Rows() = default;
    Hdf5Rows(const Hdf5Rows&) = delete;
    Hdf5Rows& operator=(const Hdf5Rows&) = delete;

    /// Rows [first, first + count) as stored, to `out` of count * row_bytes().
    virtual void read(std::uint64_t first, std::uint64_t count, std::byte* out) = 0;

    /// The strings of those rows, whether fixed or of any length, appended to `out`.
    virtual void
    read_strings(std::uint64_t first, std::uint64_t count, std::vector<std::string>& out) = 0;

protected:
    Hdf5Rows() = default;
};

[[nodiscard]] std::unique_ptr<Hdf5Rows> open_with_hdf5(const std::string& path,
                                                       const Column& column);

} // namespace muster::data
