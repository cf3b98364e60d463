#include "data/zip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>

namespace muster::launcher::data {
namespace {

constexpr std::uint32_t end_mark = 0x06054b50;
constexpr std::uint32_t end64_mark = 0x06064b50;
constexpr std::uint32_t end64_place_mark = 0x07064b50;
constexpr std::uint32_t entry_mark = 0x02014b50;
constexpr std::uint32_t local_mark = 0x04034b50;
constexpr std::uint64_t end_bytes = 22;
constexpr std::uint64_t comment_bytes_max = 0xFFFF;
constexpr std::uint64_t entry_bytes = 46;
constexpr std::uint64_t local_bytes = 30;
constexpr std::uint16_t zip64_extra = 1;
constexpr std::size_t piece_bytes = std::size_t{64} << 10U;

Failure at(std::uint64_t byte, std::string_view text) {
    return {ErrorCode::malformed, fmt::format("byte {}: {}", byte, text)};
}

/// Whole numbers at any place of the archive; the caller has looked whether they are there.
class Bytes {
public:
    explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}

    [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }

    [[nodiscard]] bool has(std::uint64_t place, std::uint64_t count) const {
        return place <= bytes_.size() && count <= bytes_.size() - place;
    }

    [[nodiscard]] std::uint64_t whole(std::uint64_t place, std::size_t width) const {
        std::uint64_t value = 0;
        for (std::size_t i = width; i-- > 0;) {
            value = (value << 8U) | std::to_integer<std::uint64_t>(bytes_[place + i]);
        }
        return value;
    }

    [[nodiscard]] std::span<const std::byte> part(std::uint64_t place, std::uint64_t count) const {
        return bytes_.subspan(place, count);
    }

private:
    std::span<const std::byte> bytes_;
};

struct Directory {
    std::uint64_t place = 0;
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
};

/// The end record is the last thing but a comment of any length.
Result<Directory> find_directory(const Bytes& file) {
    if (file.size() < end_bytes) {
        return at(0, "it is too short for a zip archive");
    }
    const std::uint64_t last = file.size() - end_bytes;
    const std::uint64_t first = last - std::min(last, comment_bytes_max);
    std::optional<std::uint64_t> end;
    for (std::uint64_t place = last + 1; place-- > first;) {
        if (file.whole(place, 4) == end_mark && file.whole(place + 20, 2) == last - place) {
            end = place;
            break;
        }
    }
    if (!end) {
        return at(file.size(), "no directory of a zip archive is at its end; it may be cut off");
    }
    Directory directory{
        file.whole(*end + 16, 4), file.whole(*end + 12, 4), file.whole(*end + 10, 2)};
    const bool is_large = directory.place == 0xFFFFFFFF || directory.bytes == 0xFFFFFFFF ||
                          directory.entries == 0xFFFF;
    if (is_large && *end >= 20 && file.whole(*end - 20, 4) == end64_place_mark) {
        const std::uint64_t place = file.whole(*end - 20 + 8, 8);
        if (!file.has(place, 56) || file.whole(place, 4) != end64_mark) {
            return at(*end - 20, "it points to a directory of a large archive that is not there");
        }
        directory = {
            file.whole(place + 48, 8), file.whole(place + 40, 8), file.whole(place + 32, 8)};
    }
    if (!file.has(directory.place, directory.bytes)) {
        return at(*end, "the directory of the archive lies outside of it");
    }
    return directory;
}

/// Sizes and places that need more than 32 bits stand in an extra field, in this order.
void read_large(const Bytes& file,
                std::uint64_t place,
                std::uint64_t bytes,
                std::array<std::uint64_t*, 3> numbers) {
    const std::uint64_t end = place + bytes;
    while (place + 4 <= end) {
        const std::uint64_t id = file.whole(place, 2);
        const std::uint64_t size = file.whole(place + 2, 2);
        place += 4;
        if (id == zip64_extra) {
            for (std::uint64_t* number : numbers) {
                if (*number == 0xFFFFFFFF && place + 8 <= end) {
                    *number = file.whole(place, 8);
                    place += 8;
                }
            }
            return;
        }
        place += size;
    }
}

/// The bytes of an entry stand behind a header of their own, whose length may differ.
Result<std::monostate>
find_bytes(const Bytes& file, std::uint64_t local, std::uint64_t packed_bytes, ZipEntry& entry) {
    if (!file.has(local, local_bytes) || file.whole(local, 4) != local_mark) {
        return at(local, fmt::format("'{}' does not begin there", entry.name));
    }
    entry.offset = local + local_bytes + file.whole(local + 26, 2) + file.whole(local + 28, 2);
    if (!file.has(entry.offset, packed_bytes)) {
        return at(entry.offset, fmt::format("the archive ends inside of '{}'", entry.name));
    }
    entry.packed = file.part(entry.offset, packed_bytes);
    return std::monostate{};
}

class Inflater {
public:
    Inflater() { is_ready_ = ::inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }

    ~Inflater() {
        if (is_ready_) {
            ::inflateEnd(&stream_);
        }
    }

    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    [[nodiscard]] bool is_ready() const { return is_ready_; }

    z_stream& stream() { return stream_; }

private:
    z_stream stream_{};
    bool is_ready_ = false;
};

std::uint32_t checksum_of(std::uint32_t before, std::span<const std::byte> bytes) {
    return static_cast<std::uint32_t>(::crc32(
        before, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

} // namespace

Result<std::vector<ZipEntry>> parse_zip(std::span<const std::byte> bytes) {
    const Bytes file(bytes);
    const auto directory = find_directory(file);
    if (!directory) {
        return directory.error();
    }
    std::vector<ZipEntry> entries;
    std::uint64_t place = directory->place;
    const std::uint64_t end = directory->place + directory->bytes;
    for (std::uint64_t i = 0; i < directory->entries; ++i) {
        if (end - place < entry_bytes || file.whole(place, 4) != entry_mark) {
            return at(place, fmt::format("entry {} of the directory is damaged", i));
        }
        const std::uint64_t flags = file.whole(place + 8, 2);
        const std::uint64_t method = file.whole(place + 10, 2);
        const std::uint64_t name_bytes = file.whole(place + 28, 2);
        const std::uint64_t extra_bytes = file.whole(place + 30, 2);
        const std::uint64_t size =
            entry_bytes + name_bytes + extra_bytes + file.whole(place + 32, 2);
        if (end - place < size) {
            return at(place, fmt::format("entry {} of the directory is damaged", i));
        }
        ZipEntry entry;
        const auto name = file.part(place + entry_bytes, name_bytes);
        entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
        entry.checksum = static_cast<std::uint32_t>(file.whole(place + 16, 4));
        std::uint64_t packed_bytes = file.whole(place + 20, 4);
        entry.bytes = file.whole(place + 24, 4);
        std::uint64_t local = file.whole(place + 42, 4);
        read_large(file,
                   place + entry_bytes + name_bytes,
                   extra_bytes,
                   {&entry.bytes, &packed_bytes, &local});
        if ((flags & 1U) != 0) {
            return at(place, fmt::format("'{}' is encrypted", entry.name));
        }
        if (method != 0 && method != 8) {
            return at(place,
                      fmt::format("'{}' is packed by method {}; only stored and deflated are read",
                                  entry.name,
                                  method));
        }
        entry.is_deflated = method == 8;
        if (!entry.is_deflated && entry.bytes != packed_bytes) {
            return at(place, fmt::format("'{}' is stored, but has two sizes", entry.name));
        }
        if (auto found = find_bytes(file, local, packed_bytes, entry); !found) {
            return found.error();
        }
        if (!entry.name.ends_with("/")) {
            entries.push_back(std::move(entry));
        }
        place += size;
    }
    return entries;
}

Result<std::monostate> unpack(const ZipEntry& entry,
                              const std::function<void(std::span<const std::byte>)>& take) {
    const auto damaged = [&](std::uint64_t byte, std::string_view text) {
        return at(entry.offset + byte, fmt::format("'{}': {}", entry.name, text));
    };
    std::uint32_t checksum = 0;
    std::uint64_t done = 0;
    const auto hand_out = [&](std::span<const std::byte> piece) {
        checksum = checksum_of(checksum, piece);
        done += piece.size();
        take(piece);
    };
    if (!entry.is_deflated) {
        for (std::size_t place = 0; place < entry.packed.size(); place += piece_bytes) {
            hand_out(
                entry.packed.subspan(place, std::min(piece_bytes, entry.packed.size() - place)));
        }
    } else {
        Inflater inflater;
        if (!inflater.is_ready()) {
            return Failure{ErrorCode::out_of_memory, "no memory to unpack it"};
        }
        z_stream& stream = inflater.stream();
        std::vector<std::byte> piece(std::min<std::uint64_t>(piece_bytes, entry.bytes + 1));
        std::size_t fed = 0;
        int state = Z_OK;
        while (state == Z_OK) {
            if (stream.avail_in == 0 && fed < entry.packed.size()) {
                const auto next =
                    entry.packed.subspan(fed, std::min(piece_bytes, entry.packed.size() - fed));
                stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(next.data()));
                stream.avail_in = static_cast<uInt>(next.size());
                fed += next.size();
            }
            stream.next_out = reinterpret_cast<Bytef*>(piece.data());
            stream.avail_out = static_cast<uInt>(piece.size());
            state = ::inflate(&stream, Z_NO_FLUSH);
            const std::size_t got = piece.size() - stream.avail_out;
            if (got > entry.bytes - done) {
                return damaged(fed, "it has more bytes than its directory says");
            }
            hand_out(std::span(piece).first(got));
        }
        if (state != Z_STREAM_END) {
            return damaged(fed - stream.avail_in,
                           state == Z_BUF_ERROR ? "it is cut off" : "it cannot be unpacked");
        }
    }
    if (done != entry.bytes) {
        return damaged(0, fmt::format("it has {} bytes, but should have {}", done, entry.bytes));
    }
    if (checksum != entry.checksum) {
        return damaged(0, "its checksum is another one than was written");
    }
    return std::monostate{};
}

} // namespace muster::launcher::data
