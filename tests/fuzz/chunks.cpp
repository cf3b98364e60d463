// Bytes from an HDF5 file that lies, where they are read without HDF5: as a chunk that went through
// filters, and as an index of files.

#include "allocations.hpp"
#include "file_index.hpp"
#include "filters/filter_pipeline.hpp"

#include <muster/base/error.hpp>

#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

namespace {

using namespace muster;
using namespace muster::data;

/// What a file may say of a chunk's filters; the first byte of the input chooses.
const std::vector<std::vector<Filter>> pipelines{
    {{1, "deflate", {4}}},
    {{2, "shuffle", {4}}, {1, "deflate", {4}}},
    {{3, "fletcher32", {}}, {2, "shuffle", {8}}, {1, "deflate", {4}}, {3, "fletcher32", {}}},
    {{2, "shuffle", {0}}, {3, "fletcher32", {}}},
    {{2, "shuffle", {1000}}},
    {{32000, "lzf", {}}},
    {{2, "shuffle", {2}}, {32001, "blosc", {}}},
    {{32004, "lz4", {}}},
    {{32015, "zstd", {}}},
};
constexpr std::uint64_t chunk_bytes = 4096;

void decode_chunk(std::span<const std::byte> input) {
    if (input.size() < 2) {
        return;
    }
    const auto& filters = pipelines[std::to_integer<std::size_t>(input[0]) % pipelines.size()];
    if (FilterPipeline::unknown(filters) != nullptr) {
        return; // its library was not found
    }
    const FilterPipeline pipeline(filters, chunk_bytes);
    FilterPipeline::Scratch scratch;
    std::vector<std::byte> out(chunk_bytes);
    const fuzz::Allocations allocations;
    try {
        pipeline.decode(input.subspan(2), std::to_integer<std::uint32_t>(input[1]), out, scratch);
    } catch (const DecodeError&) {
    }
    allocations.expect_at_most(16, chunk_bytes);
}

void decode(std::span<const std::byte> bytes) {
    // A chunk of 24 bytes is said in three, a dataset in a few more.
    const fuzz::Allocations allocations;
    try {
        const FileDescriptions files = decode_index(bytes);
        if (decode_index(encode_index(files)) != files) {
            std::abort();
        }
    } catch (const Error& error) {
        if (error.code() != ErrorCode::malformed) {
            std::abort();
        }
    }
    allocations.expect_at_most(200, bytes.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(input, size));
    decode_chunk(bytes);
    decode(bytes);
    // Chance seldom makes a checksum that holds.
    decode(seal_index({bytes.begin(), bytes.end()}));
    return 0;
}
