#pragma once

#include <muster/data/column.hpp>
#include <muster/data/new_column.hpp>
#include <muster/data/writer.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::data {

/// An array of a file: values of one type, row-major, of one axis or more. Axes may be 0 long.
struct ArrayInfo {
    std::string name; ///< Path inside the file; "group/name" makes the group.
    ElementType type = ElementType::float32; ///< A whole or floating-point number.
    std::vector<std::uint64_t> shape;

    [[nodiscard]] std::uint64_t elements() const;

    [[nodiscard]] std::uint64_t size_bytes() const { return elements() * data::size_bytes(type); }

    bool operator==(const ArrayInfo&) const = default;
};

/// A box of an array: `count` elements along each axis, from `start` on.
struct Slab {
    std::vector<std::uint64_t> start;
    std::vector<std::uint64_t> count;

    [[nodiscard]] std::uint64_t elements() const;

    bool operator==(const Slab&) const = default;
};

/// All of an array.
[[nodiscard]] Slab whole(const ArrayInfo& array);

/// What two boxes of one array share; its counts may be 0.
[[nodiscard]] Slab intersection(const Slab& a, const Slab& b);

/// A slab that a shard's file holds, as a dataset of the array's name and the slab's shape.
struct ArrayPiece {
    ArrayInfo array; ///< The whole of it.
    Slab slab;

    bool operator==(const ArrayPiece&) const = default;
};

/// What one of several writers has written. A task can return it.
struct ArrayShard {
    std::string file; ///< Name in the folder of shards.
    std::uint64_t file_bytes = 0;
    std::vector<ArrayPiece> pieces;

    bool operator==(const ArrayShard&) const = default;
};

/// Writes named arrays, with notes beside them, to one HDF5 file: what a program has in memory and
/// wants back as it was. h5py and h5dump read it; each array has a checksum, CRC-32C of its bytes,
/// as attribute "muster_crc32c".
///
/// The file is there as a whole or not at all: it is written as "<path>.part-…", made safe on disk,
/// and renamed by finish(). An object destroyed before leaves what was there before. Arrays are
/// written where they lie, 16 MiB at a time: no copy is made, and other threads get at HDF5's lock
/// in between. One thread at a time.
///
/// Errors are muster::Error: no room on the disk, no such folder, a path that exists; UsageError
/// for arrays that cannot be written. After one the writer is of no more use.
class ArrayFileWriter {
public:
    explicit ArrayFileWriter(const std::filesystem::path& path, WriteOptions options = {});
    ~ArrayFileWriter();
    ArrayFileWriter(ArrayFileWriter&&) noexcept;
    ArrayFileWriter& operator=(ArrayFileWriter&&) noexcept;

    /// @param values  All of the array: info.size_bytes() of them.
    void write(const ArrayInfo& info, std::span<const std::byte> values);

    template <class T>
    void
    write(std::string_view name, std::span<const T> values, std::vector<std::uint64_t> shape = {}) {
        if (shape.empty()) {
            shape = {values.size()};
        }
        write({std::string(name), element_type_of<T>(), std::move(shape)}, std::as_bytes(values));
    }

    /// Makes the arrays that several have written pieces of: virtual datasets, which refer to the
    /// shards' files relative to this one. Pieces must cover each array, and not overlap.
    void stitch(std::span<const ArrayShard> shards);

    /// Makes the file visible under its path. Call once.
    void finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Writes one writer's pieces of arrays, beside those of others and without a message to them:
/// ArrayFileWriter::stitch() makes a file of them all. Its file lies in the folder "<path>.shards"
/// under a name that no other writer takes, and nothing refers to it until it is stitched. As
/// ArrayFileWriter for the rest.
class ArrayShardWriter {
public:
    /// @param path  Of the whole, the same for all writers.
    ArrayShardWriter(const std::filesystem::path& path, std::uint32_t shard);
    ~ArrayShardWriter();
    ArrayShardWriter(ArrayShardWriter&&) noexcept;
    ArrayShardWriter& operator=(ArrayShardWriter&&) noexcept;

    /// At most one piece of each array; an empty one is left out.
    /// @param values  Of the slab, row-major.
    void write(const ArrayInfo& info, const Slab& slab, std::span<const std::byte> values);

    /// Makes the shard safe on disk. Call once.
    [[nodiscard]] ArrayShard finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A file that ArrayFileWriter has written, open for reading: any slab of any array, on any number
/// of ranks, however many wrote it.
///
/// Reading checks: an array, or a piece of one, is compared with its checksum when something of it
/// is first read, so that a slab costs reading the pieces it touches. A copy is a handle of the
/// same. Every call from any thread.
///
/// Errors are muster::Error and name the file and the array: missing, cut short, damaged.
class ArrayFile {
public:
    /// Reads headers only.
    static ArrayFile open(const std::filesystem::path& path);

    [[nodiscard]] const std::string& path() const;
    [[nodiscard]] const std::vector<ArrayInfo>& arrays() const; ///< In order of name.
    [[nodiscard]] const std::vector<Attribute>& attributes() const;
    [[nodiscard]] bool has(std::string_view name) const;

    /// @throws Error, with the arrays there are, if it is none of them.
    [[nodiscard]] const ArrayInfo& array(std::string_view name) const;

    /// Reads a slab, row-major, exactly of the array's type.
    template <class T>
    void read(std::string_view name, const Slab& slab, std::span<T> out) const {
        read_bytes(name, slab, element_type_of<T>(), std::as_writable_bytes(out));
    }

    /// Reads a whole array; `out` is as large as it is.
    template <class T>
    void read(std::string_view name, std::span<T> out) const {
        read(name, whole(array(name)), out);
    }

    template <class T>
    [[nodiscard]] std::vector<T> read(std::string_view name) const {
        std::vector<T> values(array(name).elements());
        read(name, std::span<T>(values));
        return values;
    }

    /// Compares all arrays with their checksums.
    void verify() const;

private:
    struct State;

    explicit ArrayFile(std::shared_ptr<State> state) : state_(std::move(state)) {}

    void read_bytes(std::string_view name,
                    const Slab& slab,
                    ElementType as,
                    std::span<std::byte> out) const;

    std::shared_ptr<State> state_;
};

/// Removes such a file and its shards: the file first, so that nothing refers to what is gone.
/// Nothing happens where there is none. @throws Error where the system refuses.
void remove_array_file(const std::filesystem::path& path);

} // namespace muster::data
