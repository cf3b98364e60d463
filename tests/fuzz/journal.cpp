// Bytes from a disk that lies: as a segment of a journal, and as a batch of claims.

#include "allocations.hpp"
#include "journal/segment.hpp"

#include <cstdlib>
#include <span>

namespace {

using namespace muster;

void read_segment(std::span<const std::byte> bytes) {
    const fuzz::Allocations allocations;
    journal::SegmentReader reader(bytes);
    std::size_t walked = 0;
    while (const auto record = reader.next()) {
        const std::size_t size = journal::record_header_bytes + record->value.size();
        if (record->offset < walked || record->offset + size != reader.offset()) {
            std::abort(); // it went back, or two records overlap
        }
        walked = reader.offset();
        if (record->header.kind == journal::RecordKind::start) {
            (void)journal::decode_start(*record);
        }
    }
    if (reader.offset() > bytes.size() || reader.damaged_bytes() > bytes.size()) {
        std::abort();
    }
    allocations.expect_at_most(8, bytes.size());
}

void read_claims(std::span<const std::byte> bytes) {
    const fuzz::Allocations allocations;
    (void)journal::decode_claims(bytes);
    allocations.expect_at_most(2, bytes.size());
}

/// Chance seldom makes a checksum that holds: the input as the value of a record whose does.
void read_wrapped(std::span<const std::byte> bytes) {
    std::vector<std::byte> segment;
    journal::encode_record(segment, journal::RecordKind::start, {}, 0, bytes);
    journal::encode_record(segment, journal::RecordKind::result, {1, 2}, 3, bytes);
    read_segment(segment);
    const auto record = journal::SegmentReader(segment).next();
    if (!record || record->value.size() != bytes.size()) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    read_segment(bytes);
    read_claims(bytes);
    read_wrapped(bytes);
    return 0;
}
