#include "data/mapped_file.hpp"
#include "data/npy.hpp"
#include "data/sources.hpp"
#include "data/zip.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <bit>

namespace muster::launcher::data {
namespace {

class ArraySource final : public RowSource {
public:
    ArraySource(std::shared_ptr<MappedFile> file, Array array, std::string name)
        : file_(std::move(file)), array_(std::move(array)) {
        NewColumn column;
        column.name = std::move(name);
        column.type = array_.type;
        column.row_shape.assign(array_.shape.begin() + 1, array_.shape.end());
        column.string_bytes = array_.type == ElementType::fixed_string ? array_.element_bytes : 0;
        columns_.push_back(std::move(column));
    }

    [[nodiscard]] const std::vector<NewColumn>& columns() const override { return columns_; }

    [[nodiscard]] std::uint64_t rows() const override { return array_.rows(); }

    [[nodiscard]] const std::vector<ColumnBlock>& next(std::uint64_t count) override {
        if (array_.is_wide_text) {
            copy_texts(array_, at_, count, strings_);
        } else {
            copy_rows(array_, at_, count, bytes_);
        }
        at_ += count;
        blocks_ = {{columns_.front().name,
                    array_.type,
                    count * array_.row_elements(),
                    bytes_.data(),
                    strings_}};
        return blocks_;
    }

private:
    std::shared_ptr<MappedFile> file_; ///< Has what array_ borrows.
    Array array_;
    std::vector<NewColumn> columns_;
    std::uint64_t at_ = 0;
    std::vector<std::byte> bytes_;
    std::vector<std::string> strings_;
    std::vector<ColumnBlock> blocks_;
};

template <class T>
T value_of(Result<T> result, const std::string& where) {
    if (!result) {
        throw Error(fmt::format("{}, {}", where, result.error().message), result.error().code);
    }
    return std::move(*result);
}

} // namespace

std::unique_ptr<RowSource> open_npy(const std::filesystem::path& file, const std::string& column) {
    auto mapped = MappedFile::open(file);
    Array array = value_of(parse_npy(mapped->bytes()), fmt::format("'{}'", file.string()));
    return std::make_unique<ArraySource>(std::move(mapped), std::move(array), column);
}

std::unique_ptr<RowSource> open_npz(const std::filesystem::path& file) {
    const std::string where = fmt::format("'{}'", file.string());
    const auto mapped = MappedFile::open(file);
    std::vector<std::unique_ptr<RowSource>> sources;
    std::vector<std::string> names;
    for (const ZipEntry& entry : value_of(parse_zip(mapped->bytes()), where)) {
        if (!entry.name.ends_with(".npy")) {
            throw Error(fmt::format("{}: '{}' in it is no array; only .npy files may be in an .npz",
                                    where,
                                    entry.name));
        }
        auto bytes = mapped;
        auto part = entry.packed;
        if (entry.is_deflated) {
            bytes = MappedFile::temporary(
                fmt::format("'{}' of {}", entry.name, where),
                [&](const auto& take) { value_of(unpack(entry, take), where); });
            part = bytes->bytes();
        } else {
            value_of(unpack(entry, [](auto) {}), where); // its checksum
        }
        std::string name = entry.name.substr(0, entry.name.size() - 4);
        Array array = value_of(parse_npy(part), fmt::format("{}, '{}'", where, entry.name));
        sources.push_back(
            std::make_unique<ArraySource>(std::move(bytes), std::move(array), std::move(name)));
        names.push_back(fmt::format("{}:{}", file.string(), entry.name));
    }
    if (sources.empty()) {
        throw Error(fmt::format("{} has no array in it", where));
    }
    return side_by_side(std::move(sources), names);
}

std::unique_ptr<RowSource>
open_raw(const std::filesystem::path& file, const std::string& column, const RawOptions& options) {
    auto mapped = MappedFile::open(file);
    Array array;
    array.type = options.type.type;
    if (array.type == ElementType::string) {
        throw UsageError("--raw: texts in a file without structure need a length: string8");
    }
    array.element_bytes = options.type.string_bytes > 0 ? options.type.string_bytes
                                                        : muster::data::size_bytes(array.type);
    array.is_swapped = array.type != ElementType::fixed_string &&
                       options.is_big_endian != (std::endian::native == std::endian::big);
    std::uint64_t row_bytes = array.element_bytes;
    for (const std::uint64_t axis : options.type.row_shape) {
        if (row_bytes > (std::uint64_t{1} << 32U) / axis) {
            throw UsageError("--raw: a row of more than 4 GiB cannot be a row of a table");
        }
        row_bytes *= axis;
    }
    const std::uint64_t size = mapped->bytes().size();
    if (options.skip_bytes > size || (size - options.skip_bytes) % row_bytes != 0) {
        throw Error(fmt::format("'{}' has {} bytes, which are not {} to skip and a whole number of "
                                "rows of {} bytes each; check --raw and --skip",
                                file.string(),
                                size,
                                options.skip_bytes,
                                row_bytes));
    }
    array.values = mapped->bytes().subspan(options.skip_bytes);
    array.shape = {array.values.size() / row_bytes};
    array.shape.insert(
        array.shape.end(), options.type.row_shape.begin(), options.type.row_shape.end());
    return std::make_unique<ArraySource>(std::move(mapped), std::move(array), column);
}

} // namespace muster::launcher::data
