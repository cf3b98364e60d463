#include "hdf5/describe.hpp"
#include "hdf5/new_dataset.hpp"
#include "hdf5/read_attributes.hpp"
#include "hdf5/stored_type.hpp"
#include "table_check.hpp"

#include <muster/data/row_stream.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace muster::data {
namespace {

using hdf5::checked;
using hdf5::Subject;

constexpr std::string_view read_advice =
    "the file is damaged, or needs a filter this HDF5 lacks; muster data verify says where";

/// As it would be declared to write the same. Filters that Codec has not are left out.
Compression compression_of(const Column& column) {
    Compression compression;
    for (const Filter& filter : column.filters) {
        if (filter.name == "shuffle") {
            compression.shuffle = true;
        } else if (filter.name == "fletcher32") {
            compression.fletcher32 = true;
        }
        for (const Codec codec : {Codec::deflate, Codec::lz4, Codec::zstd, Codec::blosc}) {
            if (filter.name != to_string(codec)) {
                continue;
            }
            compression.codec = codec;
            const std::size_t place = codec == Codec::blosc ? 4 : 0;
            if (codec != Codec::lz4 && filter.values.size() > place) {
                const auto level = static_cast<int>(filter.values[place]);
                // What a writer may ask for: others' zstd has levels below 1.
                compression.level =
                    codec == Codec::zstd ? std::clamp(level, 1, 22) : std::clamp(level, 0, 9);
            }
        }
    }
    return compression;
}

/// How the values are kept: of a virtual dataset, as the first of its files keeps them.
Column storage_of(const Subject& subject, const Column& column, hid_t dataset) {
    if (column.layout != StorageLayout::virtual_dataset) {
        return column;
    }
    const auto folder = std::filesystem::path(subject.file).parent_path();
    for (const std::string& source : hdf5::virtual_sources(subject, dataset)) {
        try {
            const std::string path =
                source == "." ? std::string(subject.file) : (folder / source).string();
            const hdf5::File file = hdf5::open_file(path);
            const hdf5::Dataset first = hdf5::open_dataset(file, path, column.name);
            return hdf5::describe(first, path, column.name);
        } catch (const Error&) {
            break; // under another name, or not there: reading will tell
        }
    }
    return column;
}

NewColumn declaration_of(const Subject& subject, const Column& column, hid_t dataset) {
    const Column storage = storage_of(subject, column, dataset);
    NewColumn result;
    result.name = column.name;
    result.type = column.type;
    result.row_shape.assign(column.shape.begin() + 1, column.shape.end());
    result.string_bytes = column.type == ElementType::fixed_string ? column.element_bytes : 0;
    if (column.type != ElementType::string) { // which a writer does not compress
        result.compression = compression_of(storage);
    }
    result.attributes = hdf5::read_attributes(subject, dataset).attributes;
    // A chunk that crosses rows has no counterpart: then the default it is.
    const bool is_whole_rows =
        storage.chunk.size() == 1 + result.row_shape.size() &&
        std::equal(result.row_shape.begin(), result.row_shape.end(), storage.chunk.begin() + 1);
    // That of a short file is its only one, and says nothing of what is good for more rows.
    if (is_whole_rows && storage.chunk.front() < storage.rows()) {
        result.chunk_rows = storage.chunk.front();
    }
    return result;
}

/// How values lie in memory: as stored_type() has them, but with the names and the character set of
/// the file's own type, which HDF5 does not convert.
hdf5::Type memory_type(const Subject& subject, const Column& column, hid_t dataset) {
    constexpr std::string_view action = "read the type of";
    const hdf5::Type stored(
        checked(subject, action, read_advice, [&] { return H5Dget_type(dataset); }));
    hdf5::Type own(checked(subject, action, read_advice, [&] { return H5Tcopy(stored.get()); }));
    switch (column.type) {
    case ElementType::fixed_string:
        checked(subject, action, read_advice, [&] {
            return H5Tset_strpad(own.get(), H5T_STR_NULLPAD);
        });
        return own;
    case ElementType::string:
    case ElementType::boolean:
        return own;
    case ElementType::complex64:
    case ElementType::complex128:
        return hdf5::Type(checked(subject, action, read_advice, [&] {
            return H5Tget_native_type(own.get(), H5T_DIR_DEFAULT);
        }));
    default:
        return hdf5::stored_type(subject, column.type, column.element_bytes);
    }
}

struct Open {
    hdf5::Dataset dataset;
    hdf5::Type type; ///< In memory.
    std::vector<std::byte> bytes;
    std::vector<std::string> strings;
};

void read_column(const std::string& file,
                 const NewColumn& column,
                 Open& open,
                 std::uint64_t first,
                 std::uint64_t count) {
    const Subject subject{file, column.name};
    const std::string action = fmt::format("read rows {} to {} of", first, first + count - 1);
    const auto memory = hdf5::rows_space(subject, column, count, /*may_grow=*/false);
    const hdf5::Space space(
        checked(subject, action, read_advice, [&] { return H5Dget_space(open.dataset.get()); }));
    std::vector<hsize_t> start{first};
    start.resize(1 + column.row_shape.size(), 0);
    std::vector<hsize_t> shape{count};
    shape.insert(shape.end(), column.row_shape.begin(), column.row_shape.end());
    checked(subject, action, read_advice, [&] {
        return H5Sselect_hyperslab(
            space.get(), H5S_SELECT_SET, start.data(), nullptr, shape.data(), nullptr);
    });
    const std::uint64_t elements = count * column.row_elements();
    const auto read_to = [&](void* out) {
        checked(subject, action, read_advice, [&] {
            return H5Dread(
                open.dataset.get(), open.type.get(), memory.get(), space.get(), H5P_DEFAULT, out);
        });
    };
    if (column.type != ElementType::string) {
        open.bytes.resize(elements * column.element_bytes());
        read_to(open.bytes.data());
        return;
    }
    std::vector<char*> texts(elements, nullptr);
    read_to(texts.data());
    open.strings.clear();
    for (char* const text : texts) {
        open.strings.emplace_back(text == nullptr ? "" : text);
    }
    checked(subject, action, read_advice, [&] {
        return H5Dvlen_reclaim(open.type.get(), memory.get(), H5P_DEFAULT, texts.data());
    });
}

} // namespace

struct RowStream::State {
    std::string path;
    hdf5::File file;
    std::uint64_t rows = 0;
    std::vector<NewColumn> columns;
    std::vector<Open> open; ///< In the order of columns; closed before the file.
    std::vector<Block> blocks;
};

RowStream::RowStream(const std::filesystem::path& file, const std::vector<std::string>& names)
    : state_(std::make_unique<State>()) {
    state_->path = file.string();
    state_->file = hdf5::open_file(file);
    std::vector<Column> described;
    for (const std::string& name :
         names.empty() ? hdf5::dataset_names(state_->file, state_->path) : names) {
        hdf5::Dataset dataset = hdf5::open_dataset(state_->file, state_->path, name);
        const Column column = hdf5::describe(dataset, state_->path, name);
        if (column.shape.empty()) {
            if (names.empty()) {
                continue; // a single value beside the table
            }
            throw Error(fmt::format("'{}': dataset '{}' is a single value, without rows; leave it "
                                    "out",
                                    state_->path,
                                    name));
        }
        if (column.type == ElementType::unsupported) {
            throw Error(fmt::format("'{}': dataset '{}' holds {} values, which cannot be copied as "
                                    "a column; name the columns to take, without it",
                                    state_->path,
                                    name,
                                    column.type_text));
        }
        const Subject subject{state_->path, name};
        state_->columns.push_back(declaration_of(subject, column, dataset.get()));
        hdf5::Type type = memory_type(subject, column, dataset.get());
        state_->open.push_back({std::move(dataset), std::move(type), {}, {}});
        described.push_back(column);
    }
    check::same_rows(state_->path, described);
    state_->rows = described.front().rows();
}

RowStream::~RowStream() = default;
RowStream::RowStream(RowStream&&) noexcept = default;
RowStream& RowStream::operator=(RowStream&&) noexcept = default;

std::uint64_t RowStream::rows() const {
    return state_->rows;
}

const std::vector<NewColumn>& RowStream::columns() const {
    return state_->columns;
}

const std::vector<Block>& RowStream::read(std::uint64_t first, std::uint64_t count) {
    state_->blocks.clear();
    for (std::size_t i = 0; i < state_->columns.size(); ++i) {
        const NewColumn& column = state_->columns[i];
        Open& open = state_->open[i];
        if (count > 0) {
            read_column(state_->path, column, open, first, count);
        } else {
            open.bytes.clear();
            open.strings.clear();
        }
        state_->blocks.push_back({column.name,
                                  column.type,
                                  count * column.row_elements(),
                                  open.bytes.data(),
                                  open.strings});
    }
    return state_->blocks;
}

} // namespace muster::data
