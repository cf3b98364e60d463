#include <muster/base/crc32c.hpp>
#include <muster/base/error.hpp>
#include <muster/train/event_file.hpp>

#include <fmt/format.h>

#include <cstring>
#include <span>

namespace muster::train {
namespace {

// Protocol buffers' wire format: a field is its number and wire type, then its value.
enum class WireType : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
        out.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
    }
    out.push_back(static_cast<char>(value));
}

void put_tag(std::string& out, unsigned field, WireType type) {
    put_varint(out, field << 3U | static_cast<unsigned>(type));
}

/// Little endian, whatever this machine's order.
template <class Word>
void put_fixed(std::string& out, Word word) {
    for (std::size_t byte = 0; byte < sizeof word; ++byte) {
        out.push_back(static_cast<char>(word >> (8 * byte) & 0xffU));
    }
}

void put_double(std::string& out, unsigned field, double value) {
    put_tag(out, field, WireType::fixed64);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    put_fixed(out, bits);
}

void put_float(std::string& out, unsigned field, float value) {
    put_tag(out, field, WireType::fixed32);
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    put_fixed(out, bits);
}

void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
    put_tag(out, field, WireType::bytes);
    put_varint(out, bytes.size());
    out += bytes;
}

/// TFRecord's, so that a CRC of data that has a CRC inside does not come out as a constant.
std::uint32_t masked_crc(std::string_view bytes) {
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
    return (crc >> 15U | crc << 17U) + 0xa282ead8U;
}

std::string framed(std::string_view event) {
    std::string record;
    put_fixed(record, std::uint64_t{event.size()});
    put_fixed(record, masked_crc(record));
    record += event;
    put_fixed(record, masked_crc(event));
    return record;
}

} // namespace

std::string version_record(double wall_time) {
    std::string event;
    put_double(event, 1, wall_time);
    put_bytes(event, 3, "brain.Event:2");
    return framed(event);
}

std::string event_record(double wall_time, std::int64_t step, const Metrics& metrics) {
    std::string summary;
    for (const auto& [tag, number] : metrics) {
        std::string value;
        put_bytes(value, 1, tag);
        put_float(value, 2, static_cast<float>(number));
        put_bytes(summary, 1, value);
    }
    std::string event;
    put_double(event, 1, wall_time);
    put_tag(event, 2, WireType::varint);
    put_varint(event, static_cast<std::uint64_t>(step));
    put_bytes(event, 5, summary);
    return framed(event);
}

EventFile::EventFile(const std::filesystem::path& folder, double wall_time, std::string_view suffix)
    : path_(folder / fmt::format("events.out.tfevents.{:.0f}.{}", wall_time, suffix)),
      out_(path_, std::ios::binary | std::ios::app) {
    out_ << version_record(wall_time) << std::flush;
    if (!out_) {
        throw Error(fmt::format("cannot write '{}'; check the folder's permissions and free space",
                                path_.string()));
    }
}

void EventFile::add(double wall_time, std::int64_t step, const Metrics& metrics) {
    out_ << event_record(wall_time, step, metrics) << std::flush;
}

} // namespace muster::train
