#include "hdf5/locate.hpp"

#include "filters/filter_pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace muster::data::hdf5 {
namespace {

constexpr std::string_view advice =
    "the file is damaged or was not written to its end; write or copy "
    "it again";
constexpr std::string_view action = "find the chunks of";

/// More than this many chunks are not listed: the list itself would be GiB.
constexpr std::uint64_t chunks_max = std::uint64_t{1} << 27U;

Storage opaque(std::string reason) {
    Storage storage;
    storage.opaque_reason = std::move(reason);
    return storage;
}

bool has_user_block(const Dataset& dataset) {
    const File file(H5Iget_file_id(dataset.get()));
    const PropertyList creation(H5Fget_create_plist(file.get()));
    hsize_t bytes = 0;
    return H5Pget_userblock(creation.get(), &bytes) < 0 || bytes != 0;
}

std::vector<std::byte>
fill_value(const PropertyList& creation, const Dataset& dataset, std::uint64_t element_bytes) {
    H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
    if (H5Pfill_value_defined(creation.get(), &defined) < 0 ||
        defined != H5D_FILL_VALUE_USER_DEFINED) {
        return {};
    }
    const Type type(H5Dget_type(dataset.get()));
    std::vector<std::byte> value(element_bytes);
    if (H5Pget_fill_value(creation.get(), type.get(), value.data()) < 0) {
        return {};
    }
    return value;
}

void list_chunks(const Subject& subject,
                 const Dataset& dataset,
                 const Column& column,
                 Storage& storage) {
    std::vector<std::uint64_t> grid;
    std::uint64_t count = 1;
    for (std::size_t axis = 0; axis < column.shape.size(); ++axis) {
        const std::uint64_t chunk = column.chunk[axis];
        grid.push_back(column.shape[axis] / chunk + (column.shape[axis] % chunk != 0 ? 1 : 0));
        if (grid.back() != 0 && count > chunks_max / grid.back()) {
            storage = opaque("it has too many chunks to list");
            return;
        }
        count *= grid.back();
    }
    storage.kind = Storage::Kind::chunked;
    storage.chunks.resize(count);
    std::vector<hsize_t> place(grid.size(), 0);
    std::vector<hsize_t> first(grid.size(), 0);
    for (StoredChunk& chunk : storage.chunks) {
        for (std::size_t axis = 0; axis < grid.size(); ++axis) {
            first[axis] = place[axis] * column.chunk[axis];
        }
        haddr_t address = HADDR_UNDEF;
        hsize_t bytes = 0;
        unsigned mask = 0;
        if (H5Dget_chunk_info_by_coord(dataset.get(), first.data(), &mask, &address, &bytes) < 0) {
            fail(subject, action, last_reason(), advice);
        }
        if (address != HADDR_UNDEF) {
            chunk = {address, bytes, mask};
        }
        for (std::size_t axis = grid.size(); axis-- > 0;) {
            if (++place[axis] < grid[axis]) {
                break;
            }
            place[axis] = 0;
        }
    }
}

/// A selection that is all of some rows, one after another.
struct RowRange {
    bool is_one = false;
    std::uint64_t first = 0;
    std::uint64_t rows = 0;
};

/// @param all  Rows of a selection of everything: of a source the file does not say how many it
/// has.
RowRange rows_of(hid_t space, std::uint64_t all) {
    if (H5Sget_select_type(space) == H5S_SEL_ALL) {
        return {true, 0, all};
    }
    std::array<hsize_t, H5S_MAX_RANK> extent{};
    const int rank = H5Sget_simple_extent_dims(space, extent.data(), nullptr);
    if (rank < 1) {
        return {};
    }
    std::array<hsize_t, H5S_MAX_RANK> start{};
    std::array<hsize_t, H5S_MAX_RANK> stride{};
    std::array<hsize_t, H5S_MAX_RANK> count{};
    std::array<hsize_t, H5S_MAX_RANK> block{};
    if (H5Sget_select_type(space) != H5S_SEL_HYPERSLABS || H5Sis_regular_hyperslab(space) <= 0 ||
        H5Sget_regular_hyperslab(space, start.data(), stride.data(), count.data(), block.data()) <
            0) {
        return {};
    }
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank); ++axis) {
        const bool is_dense = count[axis] == 1 || stride[axis] == block[axis];
        if (!is_dense || count[axis] == H5S_UNLIMITED || block[axis] == H5S_UNLIMITED) {
            return {};
        }
        if (axis > 0 && (start[axis] != 0 || count[axis] * block[axis] != extent[axis])) {
            return {};
        }
    }
    return {true, start[0], count[0] * block[0]};
}

template <class Read>
std::string text_of(const Read& read) {
    const ssize_t length = read(nullptr, 0);
    if (length <= 0) {
        return {};
    }
    std::string text(static_cast<std::size_t>(length) + 1, '\0');
    read(text.data(), text.size());
    text.pop_back();
    return text;
}

/// As HDF5 finds it: beside the virtual dataset's file, unless that is not there but from the
/// working directory it is.
std::string source_path(const std::string& name, const std::string& virtual_file) {
    if (name == ".") {
        return virtual_file;
    }
    const std::filesystem::path source(name);
    if (source.is_absolute()) {
        return name;
    }
    std::filesystem::path beside = std::filesystem::path(virtual_file).parent_path() / source;
    std::error_code ignored;
    if (!std::filesystem::exists(beside, ignored) && std::filesystem::exists(source, ignored)) {
        return name;
    }
    return beside.string();
}

} // namespace

Storage describe_storage(const Dataset& dataset, const std::string& path, const Column& column) {
    const Subject subject{path, column.name};
    const PropertyList creation(
        checked(subject, action, advice, [&] { return H5Dget_create_plist(dataset.get()); }));
    const Guard guard;
    if (column.type == ElementType::string || column.type == ElementType::unsupported) {
        return opaque("of its type");
    }
    if (has_user_block(dataset)) {
        return opaque("the file has a user block");
    }
    Storage storage;
    storage.fill_value = fill_value(creation, dataset, column.element_bytes);
    if (column.layout == StorageLayout::contiguous) {
        const haddr_t address = H5Dget_offset(dataset.get());
        storage.kind = Storage::Kind::contiguous;
        storage.address = address == HADDR_UNDEF ? no_address : address;
        return storage;
    }
    if (column.layout != StorageLayout::chunked) {
        return opaque(fmt::format("its layout is {}", to_string(column.layout)));
    }
    if (const Filter* const unknown = FilterPipeline::unknown(column.filters)) {
        return opaque(fmt::format("its filter {} is not known here", unknown->name));
    }
    unsigned options = 0;
    if (H5Pget_chunk_opts(creation.get(), &options) < 0 || options != 0) {
        return opaque("its chunks at the edge are not filtered");
    }
    list_chunks(subject, dataset, column, storage);
    return storage;
}

std::vector<VirtualPiece>
describe_pieces(const Dataset& dataset, const std::string& path, const Column& column) {
    const Subject subject{path, column.name};
    const PropertyList creation(
        checked(subject, action, advice, [&] { return H5Dget_create_plist(dataset.get()); }));
    const Guard guard;
    std::size_t count = 0;
    if (H5Pget_virtual_count(creation.get(), &count) < 0) {
        return {};
    }
    std::vector<VirtualPiece> pieces;
    for (std::size_t i = 0; i < count; ++i) {
        const Space in_virtual(H5Pget_virtual_vspace(creation.get(), i));
        const Space in_source(H5Pget_virtual_srcspace(creation.get(), i));
        const RowRange to = rows_of(in_virtual.get(), column.rows());
        const RowRange from = rows_of(in_source.get(), to.rows);
        const std::string file = text_of([&](char* text, std::size_t size) {
            return H5Pget_virtual_filename(creation.get(), i, text, size);
        });
        const std::string name = text_of([&](char* text, std::size_t size) {
            return H5Pget_virtual_dsetname(creation.get(), i, text, size);
        });
        const bool is_pattern = (file + name).find("%b") != std::string::npos;
        if (!to.is_one || !from.is_one || to.rows != from.rows || is_pattern) {
            return {};
        }
        pieces.push_back({to.first,
                          to.rows,
                          source_path(file, path),
                          name.substr(std::min(name.find_first_not_of('/'), name.size())),
                          from.first});
    }
    std::sort(pieces.begin(), pieces.end(), [](const VirtualPiece& a, const VirtualPiece& b) {
        return a.first_row < b.first_row;
    });
    std::uint64_t next = 0;
    for (const VirtualPiece& piece : pieces) {
        if (piece.first_row != next) {
            return {}; // rows that nobody wrote, or that two pieces claim
        }
        next += piece.rows;
    }
    return next == column.rows() ? pieces : std::vector<VirtualPiece>{};
}

} // namespace muster::data::hdf5
