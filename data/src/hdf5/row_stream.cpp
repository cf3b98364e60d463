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

NewColumn declaration_of(const Subject& subject, const Column& column, hid_t dataset) {
    NewColumn result;
    result.name = column.name;
    result.type = column.type;
    result.row_shape.assign(column.shape.begin() + 1, column.shape.end());
    result.string_bytes = column.type == ElementType::fixed_string ? column.element_bytes : 0;
    result.compression = compression_of(column);
    result.attributes = hdf5::read_attributes(subject, dataset).attributes;
    // A chunk that crosses rows has no counterpart: then the default it is.
    if (!column.chunk.empty() &&
        std::equal(result.row_shape.begin(), result.row_shape.end(), column.chunk.begin() + 1)) {
        result.chunk_rows = column.chunk.front();
    }
    return result;
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
    std::vector<ColumnBlock> blocks;
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
        state_->open.push_back({std::move(dataset),
                                hdf5::stored_type(subject, column.type, column.element_bytes),
                                {},
                                {}});
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

const std::vector<ColumnBlock>& RowStream::read(std::uint64_t first, std::uint64_t count) {
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
