#pragma once

#include <muster/data/column.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace muster::data {

/// A chunk that does not decode: its bytes are damaged. Says which filter, and what is wrong; who
/// knows the file and the dataset adds them.
class DecodeError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Undoes what HDF5's filters did to a chunk when it was written, without HDF5, so that any number
/// of threads can do it at once. Const calls from any thread.
///
/// The file format: "HDF5 File Format Specification Version 3.0", IV.A.2.l (filter pipeline
/// message); each filter's own layout is named in its file.
class FilterPipeline {
public:
    /// Memory between two filters, reused from chunk to chunk; one per thread.
    struct Scratch {
        std::vector<std::byte> buffers[2];
    };

    /// @param filters      In the order in which writing applied them; none may be `unknown()`.
    /// @param chunk_bytes  Of a decoded chunk.
    FilterPipeline(std::vector<Filter> filters, std::uint64_t chunk_bytes);

    /// The first of the filters that this build does not undo, or null.
    [[nodiscard]] static const Filter* unknown(const std::vector<Filter>& filters);

    /// Whether a chunk with this mask is stored as it is.
    [[nodiscard]] bool is_plain(std::uint32_t mask) const;

    /// @param stored  The chunk's bytes in the file.
    /// @param mask    Bit i: filter i was skipped when this chunk was written.
    /// @param out     chunk_bytes; overwritten.
    /// Throws DecodeError.
    void decode(std::span<const std::byte> stored,
                std::uint32_t mask,
                std::span<std::byte> out,
                Scratch& scratch) const;

private:
    std::vector<Filter> filters_;
    std::uint64_t chunk_bytes_;
};

} // namespace muster::data
