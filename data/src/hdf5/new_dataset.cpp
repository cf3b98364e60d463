#include "hdf5/new_dataset.hpp"

#include <fmt/format.h>

#include <array>
#include <span>
#include <vector>

namespace muster::data::hdf5 {
namespace {

constexpr std::string_view action = "make";
constexpr std::string_view advice = "check its name, shape and compression";

// As registered with the HDF Group.
constexpr H5Z_filter_t blosc_filter = 32001;
constexpr H5Z_filter_t lz4_filter = 32004;
constexpr H5Z_filter_t zstd_filter = 32015;

void require(const Subject& subject, Codec codec, H5Z_filter_t filter) {
    const Guard guard;
    if (H5Zfilter_avail(filter) <= 0) {
        throw Error(fmt::format("cannot compress dataset '{}' of '{}': this HDF5 has no filter for "
                                "{} ({}); name a folder that has it in HDF5_PLUGIN_PATH, or use "
                                "deflate",
                                subject.dataset,
                                subject.file,
                                to_string(codec),
                                filter));
    }
}

void set_filter(const Subject& subject,
                const PropertyList& list,
                H5Z_filter_t filter,
                std::span<const unsigned> values) {
    checked(subject, action, advice, [&] {
        return H5Pset_filter(list.get(), filter, H5Z_FLAG_MANDATORY, values.size(), values.data());
    });
}

void set_codec(const Subject& subject, const PropertyList& list, const Compression& compression) {
    const auto level = [&](int standard) {
        return static_cast<unsigned>(compression.level.value_or(standard));
    };
    switch (compression.codec) {
    case Codec::none:
        break;
    case Codec::deflate:
        require(subject, compression.codec, H5Z_FILTER_DEFLATE);
        checked(subject, action, advice, [&] { return H5Pset_deflate(list.get(), level(4)); });
        break;
    case Codec::lz4:
        require(subject, compression.codec, lz4_filter);
        set_filter(subject, list, lz4_filter, std::array{0U}); // its own size of blocks
        break;
    case Codec::zstd:
        require(subject, compression.codec, zstd_filter);
        set_filter(subject, list, zstd_filter, std::array{level(3)});
        break;
    case Codec::blosc:
        require(subject, compression.codec, blosc_filter);
        // Four that the filter fills in itself; level, its own shuffle (none), its codec (blosclz).
        set_filter(subject, list, blosc_filter, std::array{0U, 0U, 0U, 0U, level(5), 0U, 0U});
        break;
    }
}

} // namespace

PropertyList
creation_properties(const Subject& subject, const NewColumn& column, std::uint64_t chunk_rows) {
    PropertyList list(
        checked(subject, action, advice, [] { return H5Pcreate(H5P_DATASET_CREATE); }));
    std::vector<hsize_t> chunk{chunk_rows};
    chunk.insert(chunk.end(), column.row_shape.begin(), column.row_shape.end());
    checked(subject, action, advice, [&] {
        return H5Pset_chunk(list.get(), static_cast<int>(chunk.size()), chunk.data());
    });
    // The same rows give the same bytes, whenever they are written.
    checked(subject, action, advice, [&] { return H5Pset_obj_track_times(list.get(), 0); });
    if (column.compression.shuffle) {
        checked(subject, action, advice, [&] { return H5Pset_shuffle(list.get()); });
    }
    set_codec(subject, list, column.compression);
    if (column.compression.fletcher32) { // last, so that it is of what lies on the disk
        checked(subject, action, advice, [&] { return H5Pset_fletcher32(list.get()); });
    }
    return list;
}

PropertyList link_properties(const Subject& subject) {
    PropertyList list(checked(subject, action, advice, [] { return H5Pcreate(H5P_LINK_CREATE); }));
    checked(
        subject, action, advice, [&] { return H5Pset_create_intermediate_group(list.get(), 1); });
    return list;
}

Space rows_space(const Subject& subject,
                 const NewColumn& column,
                 std::uint64_t rows,
                 bool may_grow) {
    std::vector<hsize_t> shape{rows};
    shape.insert(shape.end(), column.row_shape.begin(), column.row_shape.end());
    std::vector<hsize_t> most = shape;
    if (may_grow) {
        most.front() = H5S_UNLIMITED;
    }
    return Space(checked(subject, action, advice, [&] {
        return H5Screate_simple(static_cast<int>(shape.size()), shape.data(), most.data());
    }));
}

} // namespace muster::data::hdf5
