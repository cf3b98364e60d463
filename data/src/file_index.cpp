#include "file_index.hpp"

#include "filters/filter_pipeline.hpp"

#include <muster/base/error.hpp>
#include <muster/base/log.hpp>
#include <muster/base/random.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

namespace muster::data {
namespace {

constexpr std::array<char, 8> magic{'M', 'U', 'S', 'T', 'I', 'D', 'X', '1'};
constexpr std::size_t header_bytes = 16;

[[noreturn]] void malformed(const char* what) {
    throw Error(
        fmt::format("this is not an index of HDF5 files: {}; remove it, and it is made anew", what),
        ErrorCode::malformed);
}

std::uint64_t checksum(std::span<const std::byte> bytes) {
    std::uint64_t sum = mix64(bytes.size());
    while (bytes.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof word);
        sum = mix64(sum ^ word) + 1;
        bytes = bytes.subspan(sizeof word);
    }
    for (const std::byte byte : bytes) {
        sum = mix64(sum ^ std::to_integer<std::uint64_t>(byte)) + 1;
    }
    return sum;
}

class Encoder {
public:
    std::vector<std::byte> bytes;

    void number(std::uint64_t value) {
        while (value >= 0x80) {
            bytes.push_back(static_cast<std::byte>(value | 0x80U));
            value >>= 7U;
        }
        bytes.push_back(static_cast<std::byte>(value));
    }

    void text(std::string_view value) {
        number(value.size());
        for (const char character : value) {
            bytes.push_back(static_cast<std::byte>(character));
        }
    }

    void numbers(const std::vector<std::uint64_t>& values) {
        number(values.size());
        for (const std::uint64_t value : values) {
            number(value);
        }
    }
};

class Decoder {
public:
    explicit Decoder(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (bytes_.empty()) {
                malformed("it ends early");
            }
            const auto byte = std::to_integer<std::uint64_t>(bytes_.front());
            bytes_ = bytes_.subspan(1);
            value |= (byte & 0x7fU) << shift;
            if ((byte & 0x80U) == 0) {
                return value;
            }
        }
        malformed("a number does not end");
    }

    /// Of things that take at least one byte each, so that nothing is reserved for more than there
    /// are.
    std::size_t count() {
        const std::uint64_t value = number();
        if (value > bytes_.size()) {
            malformed("it ends early");
        }
        return value;
    }

    std::string text() {
        const std::size_t size = count();
        std::string value(reinterpret_cast<const char*>(bytes_.data()), size);
        bytes_ = bytes_.subspan(size);
        return value;
    }

    std::vector<std::uint64_t> numbers() {
        std::vector<std::uint64_t> values(count());
        for (std::uint64_t& value : values) {
            value = number();
        }
        return values;
    }

    std::uint8_t below(std::size_t end) {
        const std::uint64_t value = number();
        if (value >= end) {
            malformed("a kind is unknown");
        }
        return static_cast<std::uint8_t>(value);
    }

    [[nodiscard]] bool at_end() const { return bytes_.empty(); }

private:
    std::span<const std::byte> bytes_;
};

void encode(Encoder& out, const DatasetDescription& dataset) {
    const Column& column = dataset.column;
    out.text(column.name);
    out.numbers(column.shape);
    out.number(static_cast<std::uint64_t>(column.type));
    out.text(column.type_text);
    out.numbers(column.chunk);
    out.number(static_cast<std::uint64_t>(column.layout));
    out.number(column.element_bytes);
    out.number(column.is_swapped ? 1 : 0);
    out.number(column.filters.size());
    for (const Filter& filter : column.filters) {
        out.number(static_cast<std::uint64_t>(filter.id));
        out.text(filter.name);
        out.numbers({filter.values.begin(), filter.values.end()});
    }
    out.number(column.stored_bytes);
    const Storage& storage = dataset.storage;
    out.number(static_cast<std::uint64_t>(storage.kind));
    out.number(storage.address);
    out.number(storage.chunks.size());
    std::uint64_t next = 0; // chunks mostly follow one another
    for (const StoredChunk& chunk : storage.chunks) {
        out.number(chunk.address - next);
        out.number(chunk.bytes);
        out.number(chunk.filter_mask);
        next = chunk.address + chunk.bytes;
    }
    out.text({reinterpret_cast<const char*>(storage.fill_value.data()), storage.fill_value.size()});
    out.text(storage.opaque_reason);
    out.number(dataset.pieces.size());
    for (const VirtualPiece& piece : dataset.pieces) {
        out.number(piece.first_row);
        out.number(piece.rows);
        out.text(piece.file);
        out.text(piece.dataset);
        out.number(piece.source_row);
    }
}

/// What the reader takes for granted of a description.
void check(const DatasetDescription& dataset) {
    const Column& column = dataset.column;
    const Storage& storage = dataset.storage;
    std::uint64_t elements = 1;
    for (const std::uint64_t length : column.shape) {
        if (__builtin_mul_overflow(elements, std::max<std::uint64_t>(length, 1), &elements)) {
            malformed("a dataset is too large");
        }
    }
    std::uint64_t bytes = 0;
    if (column.shape.empty() || __builtin_mul_overflow(elements, column.element_bytes, &bytes) ||
        (size_bytes(column.type) != 0 && column.element_bytes != size_bytes(column.type)) ||
        (!storage.fill_value.empty() && storage.fill_value.size() != column.element_bytes)) {
        malformed("a dataset's description contradicts itself");
    }
    if (storage.kind != Storage::Kind::chunked) {
        return;
    }
    std::uint64_t chunks = 1;
    std::uint64_t chunk_bytes = column.element_bytes;
    if (column.chunk.size() != column.shape.size() || FilterPipeline::unknown(column.filters)) {
        malformed("a dataset's chunks are not as its shape");
    }
    for (std::size_t axis = 0; axis < column.chunk.size(); ++axis) {
        const std::uint64_t length = column.chunk[axis];
        if (length == 0 || __builtin_mul_overflow(chunk_bytes, length, &chunk_bytes) ||
            chunk_bytes > (std::uint64_t{1} << 32U)) {
            malformed("a chunk is too large");
        }
        chunks *= column.shape[axis] / length + (column.shape[axis] % length != 0 ? 1 : 0);
    }
    if (chunks != storage.chunks.size()) {
        malformed("a dataset's chunks are not as its shape");
    }
}

DatasetDescription decode_dataset(Decoder& in) {
    DatasetDescription dataset;
    Column& column = dataset.column;
    column.name = in.text();
    column.shape = in.numbers();
    column.type =
        static_cast<ElementType>(in.below(static_cast<std::size_t>(ElementType::unsupported) + 1));
    column.type_text = in.text();
    column.chunk = in.numbers();
    column.layout =
        static_cast<StorageLayout>(in.below(static_cast<std::size_t>(StorageLayout::external) + 1));
    column.element_bytes = in.number();
    column.is_swapped = in.below(2) != 0;
    column.filters.resize(in.count());
    for (Filter& filter : column.filters) {
        filter.id = static_cast<int>(in.number());
        filter.name = in.text();
        for (const std::uint64_t value : in.numbers()) {
            filter.values.push_back(static_cast<std::uint32_t>(value));
        }
    }
    column.stored_bytes = in.number();
    Storage& storage = dataset.storage;
    storage.kind =
        static_cast<Storage::Kind>(in.below(static_cast<std::size_t>(Storage::Kind::opaque) + 1));
    storage.address = in.number();
    storage.chunks.resize(in.count());
    std::uint64_t next = 0;
    for (StoredChunk& chunk : storage.chunks) {
        chunk.address = next + in.number();
        chunk.bytes = in.number();
        chunk.filter_mask = static_cast<std::uint32_t>(in.number());
        next = chunk.address + chunk.bytes;
    }
    for (const char byte : in.text()) {
        storage.fill_value.push_back(static_cast<std::byte>(byte));
    }
    storage.opaque_reason = in.text();
    dataset.pieces.resize(in.count());
    for (VirtualPiece& piece : dataset.pieces) {
        piece.first_row = in.number();
        piece.rows = in.number();
        piece.file = in.text();
        piece.dataset = in.text();
        piece.source_row = in.number();
    }
    check(dataset);
    return dataset;
}

std::vector<std::byte> bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) {
        return {};
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(file.tellg()));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    return bytes;
}

} // namespace

std::vector<std::byte> encode_index(const FileDescriptions& files) {
    Encoder out;
    out.number(files.size());
    const std::map<std::string, const FileDescription*> ordered = [&] {
        std::map<std::string, const FileDescription*> all;
        for (const auto& [path, file] : files) {
            all.emplace(path, &file);
        }
        return all;
    }();
    for (const auto& [path, file] : ordered) {
        out.text(path);
        out.number(file->stamp.device);
        out.number(file->stamp.inode);
        out.number(file->stamp.bytes);
        out.number(static_cast<std::uint64_t>(file->stamp.modified_ns));
        out.number(file->is_complete ? 1 : 0);
        out.number(file->datasets.size());
        for (const DatasetDescription& dataset : file->datasets) {
            encode(out, dataset);
        }
    }
    return seal_index(std::move(out.bytes));
}

std::vector<std::byte> seal_index(std::vector<std::byte> body) {
    const std::uint64_t sum = checksum(body);
    std::vector<std::byte> bytes(header_bytes + body.size());
    std::memcpy(bytes.data(), magic.data(), magic.size());
    std::memcpy(bytes.data() + magic.size(), &sum, sizeof sum);
    std::copy(body.begin(), body.end(), bytes.begin() + header_bytes);
    return bytes;
}

FileDescriptions decode_index(std::span<const std::byte> bytes) {
    if (bytes.size() < header_bytes || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
        malformed("it does not begin as one");
    }
    std::uint64_t sum = 0;
    std::memcpy(&sum, bytes.data() + magic.size(), sizeof sum);
    bytes = bytes.subspan(header_bytes);
    if (sum != checksum(bytes)) {
        malformed("its checksum is wrong");
    }
    Decoder in(bytes);
    FileDescriptions files;
    const std::size_t count = in.count();
    files.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::string path = in.text();
        FileDescription file;
        file.stamp.device = in.number();
        file.stamp.inode = in.number();
        file.stamp.bytes = in.number();
        file.stamp.modified_ns = static_cast<std::int64_t>(in.number());
        file.is_complete = in.below(2) != 0;
        const std::size_t datasets = in.count();
        for (std::size_t dataset = 0; dataset < datasets; ++dataset) {
            file.datasets.push_back(decode_dataset(in));
        }
        files.insert_or_assign(std::move(path), std::move(file));
    }
    if (!in.at_end()) {
        malformed("more follows its end");
    }
    return files;
}

FileIndex::FileIndex(std::filesystem::path path) : path_(std::move(path)) {
    const std::vector<std::byte> bytes = path_.empty() ? std::vector<std::byte>{} : bytes_of(path_);
    if (bytes.empty()) {
        return;
    }
    try {
        files_ = decode_index(bytes);
    } catch (const Error& error) {
        log::warn("data", "'{}' is not used: {}", path_.string(), error.what());
    }
}

FileDescription FileIndex::describe(const std::string& path,
                                    const std::vector<std::string>& names) {
    if (path_.empty()) {
        return describe_file(path, names);
    }
    const auto known = files_.find(path);
    if (known != files_.end() && known->second.stamp == stamp_of(path)) {
        FileDescription answer;
        answer.stamp = known->second.stamp;
        answer.is_complete = known->second.is_complete;
        if (names.empty() && known->second.is_complete) {
            answer.datasets = known->second.datasets;
            return answer;
        }
        for (const std::string& name : names) {
            for (const DatasetDescription& dataset : known->second.datasets) {
                if (dataset.column.name == name) {
                    answer.datasets.push_back(dataset);
                }
            }
        }
        if (!names.empty() && answer.datasets.size() == names.size()) {
            return answer;
        }
    }
    FileDescription described = describe_file(path, names);
    FileDescription& kept = files_[path];
    if (kept.stamp != described.stamp || described.is_complete) {
        kept = described;
    } else {
        for (const DatasetDescription& dataset : described.datasets) {
            std::erase_if(kept.datasets, [&](const DatasetDescription& old) {
                return old.column.name == dataset.column.name;
            });
            kept.datasets.push_back(dataset);
        }
    }
    is_changed_ = true;
    return described;
}

void FileIndex::save() {
    if (!is_changed_) {
        return;
    }
    const std::vector<std::byte> bytes = encode_index(files_);
    const std::string written = fmt::format("{}.{}", path_.string(), ::getpid());
    std::ofstream file(written, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    std::error_code error;
    if (file) {
        std::filesystem::rename(written, path_, error);
    }
    if (!file || error) {
        const int reason = error ? error.value() : errno;
        std::error_code ignored;
        std::filesystem::remove(written, ignored);
        throw Error(fmt::format("cannot write the index '{}': {}; name another file, or none",
                                path_.string(),
                                std::strerror(reason)));
    }
    is_changed_ = false;
}

} // namespace muster::data
