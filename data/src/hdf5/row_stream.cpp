#include "hdf5/describe.hpp"
#include "hdf5/locate.hpp"
#include "hdf5/new_dataset.hpp"
#include "hdf5/read_attributes.hpp"
#include "hdf5/stored_type.hpp"
#include "table_check.hpp"

#include <muster/data/row_stream.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>

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
Column storage_of(const Column& column, const std::vector<VirtualPiece>& pieces) {
    if (column.layout != StorageLayout::virtual_dataset || pieces.empty()) {
        return column;
    }
    const VirtualPiece& first = pieces.front();
    const hdf5::File file = hdf5::open_file(first.file);
    const hdf5::Dataset dataset = hdf5::open_dataset(file, first.file, first.dataset);
    return hdf5::describe(dataset, first.file, first.dataset);
}

NewColumn declaration_of(const Subject& subject,
                         const Column& column,
                         const std::vector<VirtualPiece>& pieces,
                         hid_t dataset) {
    const Column storage = storage_of(column, pieces);
    NewColumn result;
    result.name = column.name;
    result.type = column.type;
    result.row_shape.assign(column.shape.begin() + 1, column.shape.end());
    result.string_bytes = column.type == ElementType::fixed_string ? column.element_bytes : 0;
    if (column.type != ElementType::string) { // which a writer does not compress
        result.compression = compression_of(storage);
    }
    result.attributes = hdf5::read_attributes(subject, dataset).attributes;
    std::erase_if(result.attributes,
                  [](const Attribute& attribute) { return ties_datasets(attribute.name); });
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

/// Where a column's rows are read from. HDF5 would keep all files of a virtual dataset open, and a
/// cache for each: here it is one at a time.
class ColumnReader {
public:
    /// @param pieces  Of a virtual dataset; none: the dataset itself is read.
    ColumnReader(std::string path, const Column& column, std::vector<VirtualPiece> pieces)
        : column_(column), pieces_(std::move(pieces)) {
        if (pieces_.empty()) {
            pieces_.push_back({0, column.rows(), std::move(path), column.name, 0});
        }
    }

    void read(const NewColumn& declared, std::uint64_t first, std::uint64_t count) {
        bytes.clear();
        strings.clear();
        while (count > 0) {
            if (first < piece().first_row) {
                at_ = 0;
            }
            while (first >= piece().first_row + piece().rows) {
                ++at_;
            }
            const std::uint64_t offset = first - piece().first_row;
            const std::uint64_t rows = std::min(count, piece().rows - offset);
            read_piece(declared, piece().source_row + offset, rows);
            first += rows;
            count -= rows;
        }
    }

    std::vector<std::byte> bytes; ///< Of the rows that were read,
    std::vector<std::string> strings;

private:
    [[nodiscard]] const VirtualPiece& piece() const { return pieces_[at_]; }

    void open() {
        if (opened_ == at_) {
            return;
        }
        opened_.reset();
        dataset_ = {};
        file_ = hdf5::open_file(piece().file);
        dataset_ = hdf5::open_dataset(file_, piece().file, piece().dataset);
        type_ = memory_type({piece().file, piece().dataset}, column_, dataset_.get());
        opened_ = at_;
    }

    void read_piece(const NewColumn& declared, std::uint64_t first, std::uint64_t count) {
        open();
        const Subject subject{piece().file, piece().dataset};
        const std::string action = fmt::format("read rows {} to {} of", first, first + count - 1);
        const auto memory = hdf5::rows_space(subject, declared, count, /*may_grow=*/false);
        const hdf5::Space space(
            checked(subject, action, read_advice, [&] { return H5Dget_space(dataset_.get()); }));
        std::vector<hsize_t> start{first};
        start.resize(1 + declared.row_shape.size(), 0);
        std::vector<hsize_t> shape{count};
        shape.insert(shape.end(), declared.row_shape.begin(), declared.row_shape.end());
        checked(subject, action, read_advice, [&] {
            return H5Sselect_hyperslab(
                space.get(), H5S_SELECT_SET, start.data(), nullptr, shape.data(), nullptr);
        });
        const std::uint64_t elements = count * declared.row_elements();
        const auto read_to = [&](void* out) {
            checked(subject, action, read_advice, [&] {
                return H5Dread(
                    dataset_.get(), type_.get(), memory.get(), space.get(), H5P_DEFAULT, out);
            });
        };
        if (declared.type != ElementType::string) {
            const std::size_t before = bytes.size();
            bytes.resize(before + elements * declared.element_bytes());
            read_to(bytes.data() + before);
            return;
        }
        std::vector<char*> texts(elements, nullptr);
        read_to(texts.data());
        for (const char* const text : texts) {
            strings.emplace_back(text == nullptr ? "" : text);
        }
        checked(subject, action, read_advice, [&] {
            return H5Dvlen_reclaim(type_.get(), memory.get(), H5P_DEFAULT, texts.data());
        });
    }

    Column column_;
    std::vector<VirtualPiece> pieces_;
    std::size_t at_ = 0;                     ///< Of the pieces, the one that is read.
    std::optional<std::size_t> opened_ = {}; ///< The one that these are of:
    hdf5::File file_;
    hdf5::Dataset dataset_;
    hdf5::Type type_;
};

} // namespace

struct RowStream::State {
    std::string path;
    std::uint64_t rows = 0;
    std::vector<NewColumn> columns;
    std::vector<ColumnReader> readers; ///< In the order of columns.
    std::vector<ColumnBlock> blocks;
};

RowStream::RowStream(const std::filesystem::path& file, const std::vector<std::string>& names)
    : state_(std::make_unique<State>()) {
    state_->path = file.string();
    const hdf5::File opened = hdf5::open_file(file);
    std::vector<Column> described;
    for (const std::string& name :
         names.empty() ? hdf5::dataset_names(opened, state_->path) : names) {
        const hdf5::Dataset dataset = hdf5::open_dataset(opened, state_->path, name);
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
        auto pieces = hdf5::describe_pieces(dataset, state_->path, column);
        state_->columns.push_back(declaration_of(subject, column, pieces, dataset.get()));
        state_->readers.emplace_back(state_->path, column, std::move(pieces));
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
        ColumnReader& reader = state_->readers[i];
        reader.read(column, first, count);
        state_->blocks.push_back({column.name,
                                  column.type,
                                  count * column.row_elements(),
                                  reader.bytes.data(),
                                  reader.strings});
    }
    return state_->blocks;
}

} // namespace muster::data
