#pragma once

#include <muster/data/array_file.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// What files of arrays need of HDF5; defined by the one file that the build selects.
namespace muster::data::write {

/// A piece of an array, in another file than the array.
struct ArraySource {
    std::string file; ///< Relative to the folder of the array's.
    Slab slab;        ///< Its place in the array; the dataset has the same name.
};

/// One file that is being written. One thread at a time.
class ArrayOutput {
public:
    ArrayOutput() = default;
    virtual ~ArrayOutput() = default;
    ArrayOutput(const ArrayOutput&) = delete;
    ArrayOutput& operator=(const ArrayOutput&) = delete;

    virtual void write(const ArrayInfo& info, std::span<const std::byte> values) = 0;
    virtual void stitch(const ArrayInfo& info, std::span<const ArraySource> sources) = 0;

    /// Closes the file and makes it safe on disk.
    virtual void close(std::span<const Attribute> attributes) = 0;
};

/// @param shown  The name for messages.
std::unique_ptr<ArrayOutput> create_array_output(const std::filesystem::path& file,
                                                 const std::string& shown);

/// An array as a file has it.
struct StoredArray {
    ArrayInfo info;
    std::optional<std::uint32_t> checksum; ///< Of those that lie in the file itself.
    bool is_virtual = false;
    std::vector<ArraySource> sources; ///< Of those that do not.
};

/// One file that is open for reading. Calls from any thread.
class ArrayInput {
public:
    ArrayInput() = default;
    virtual ~ArrayInput() = default;
    ArrayInput(const ArrayInput&) = delete;
    ArrayInput& operator=(const ArrayInput&) = delete;

    [[nodiscard]] virtual const std::vector<StoredArray>& arrays() const = 0; ///< By name.
    [[nodiscard]] virtual const std::vector<Attribute>& attributes() const = 0;

    /// Reads a box of an array in this file into a box of the same counts of memory that is
    /// `memory_shape` large, at `memory_start`.
    virtual void read(const ArrayInfo& info,
                      const Slab& slab,
                      const std::vector<std::uint64_t>& memory_shape,
                      const std::vector<std::uint64_t>& memory_start,
                      std::byte* out) const = 0;
};

std::unique_ptr<ArrayInput> open_array_input(const std::filesystem::path& file);

} // namespace muster::data::write
