#include "filters/filter_pipeline.hpp"

#include "filters/filter.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace muster::data {
namespace {

using filters::Bytes;
using filters::Room;

constexpr std::uint64_t checksum_bytes = 4;

bool is_compressor(int id) {
    return id != filters::shuffle && id != filters::fletcher32;
}

bool is_built_in(int id) {
    switch (id) {
    case filters::deflate:
    case filters::shuffle:
    case filters::fletcher32:
        return true;
    case filters::lzf:
        return filters::has_lzf();
    case filters::blosc:
        return filters::has_blosc();
    case filters::lz4:
        return filters::has_lz4();
    case filters::zstd:
        return filters::has_zstd();
    default:
        return false;
    }
}

void undo(const Filter& filter, Bytes in, Room out) {
    switch (filter.id) {
    case filters::deflate:
        return filters::undo_deflate(in, out);
    case filters::shuffle:
        if (in.size() != out.size()) {
            throw DecodeError(fmt::format(
                "shuffle: the chunk has {} bytes instead of {}", in.size(), out.size()));
        }
        return filters::undo_shuffle(in, filter.values.empty() ? 1 : filter.values[0], out);
    case filters::lzf:
        return filters::undo_lzf(in, out);
    case filters::blosc:
        return filters::undo_blosc(in, out);
    case filters::lz4:
        return filters::undo_lz4(in, out);
    case filters::zstd:
        return filters::undo_zstd(in, out);
    default:
        MUSTER_ASSERT(!"an unknown filter was let through");
    }
}

} // namespace

FilterPipeline::FilterPipeline(std::vector<Filter> filters, std::uint64_t chunk_bytes)
    : filters_(std::move(filters)), chunk_bytes_(chunk_bytes) {
    MUSTER_ASSERT(unknown(filters_) == nullptr);
}

const Filter* FilterPipeline::unknown(const std::vector<Filter>& filters) {
    bool is_compressed = false;
    for (const Filter& filter : filters) {
        // What follows a compressor was given data of a size that nothing tells.
        if (!is_built_in(filter.id) || (is_compressed && filter.id != filters::fletcher32)) {
            return &filter;
        }
        is_compressed = is_compressed || is_compressor(filter.id);
    }
    return nullptr;
}

bool FilterPipeline::is_plain(std::uint32_t mask) const {
    return filters_.size() < 32 && (~mask & ((std::uint32_t{1} << filters_.size()) - 1)) == 0;
}

void FilterPipeline::decode(Bytes stored, std::uint32_t mask, Room out, Scratch& scratch) const {
    MUSTER_ASSERT(out.size() == chunk_bytes_);
    const auto is_applied = [&](std::size_t i) { return i >= 32 || ((mask >> i) & 1U) == 0; };
    std::size_t moving = 0; // filters that write their result somewhere
    std::uint64_t checksums = 0;
    for (std::size_t i = 0; i < filters_.size(); ++i) {
        if (is_applied(i)) {
            ++(filters_[i].id == filters::fletcher32 ? checksums : moving);
        }
    }
    Bytes bytes = stored;
    std::size_t buffer = 0;
    for (std::size_t i = filters_.size(); i-- > 0;) {
        if (!is_applied(i)) {
            continue;
        }
        if (filters_[i].id == filters::fletcher32) {
            bytes = filters::check_fletcher32(bytes);
            --checksums;
            continue;
        }
        // What this filter was given: the chunk, and the checksums of the filters before it.
        const std::uint64_t size = chunk_bytes_ + checksums * checksum_bytes;
        --moving;
        if (moving == 0 && checksums == 0) {
            undo(filters_[i], bytes, out);
            bytes = out;
            continue;
        }
        std::vector<std::byte>& room = scratch.buffers[buffer];
        buffer = 1 - buffer;
        room.resize(size);
        undo(filters_[i], bytes, room);
        bytes = room;
    }
    if (bytes.size() != chunk_bytes_) {
        throw DecodeError(
            fmt::format("it decodes to {} bytes, but a chunk has {}", bytes.size(), chunk_bytes_));
    }
    if (bytes.data() != out.data()) {
        std::memcpy(out.data(), bytes.data(), bytes.size());
    }
}

} // namespace muster::data
