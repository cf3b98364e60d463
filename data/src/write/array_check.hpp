#pragma once

#include <muster/data/array_file.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// What writers and readers of arrays refuse, and the arithmetic of slabs. Pure.
namespace muster::data::write {

/// The array can be written: a name, a number type, an axis at least.
void writable(const std::string& path, const ArrayInfo& info);

/// The slab lies in the array, and `bytes` is as large as it is.
void fitting(const std::string& path, const ArrayInfo& info, const Slab& slab, std::uint64_t bytes);

/// An array that is made of pieces, each in one of the shards.
struct StitchedArray {
    ArrayInfo info;
    std::vector<Slab> slabs;
    std::vector<std::size_t> shards; ///< By slab: which shard has it.
};

/// The arrays of all shards, in order of name.
/// @throws UsageError where shards do not agree on an array, or pieces overlap or leave a gap.
[[nodiscard]] std::vector<StitchedArray> stitched(const std::string& path,
                                                  std::span<const ArrayShard> shards);

/// One number for all notes, whatever their order.
[[nodiscard]] std::uint32_t checksum_of(std::vector<Attribute> attributes);

/// The attribute in which it is.
constexpr const char* notes_checksum_name = "muster_notes_crc32c";

} // namespace muster::data::write
