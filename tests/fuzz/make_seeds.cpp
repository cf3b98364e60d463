// make_seeds <corpus folder>: writes what the fuzzers start from. Inputs that they found later lie
// beside it, under the names that libFuzzer gave them.

#include "file_index.hpp"
#include "journal/segment.hpp"
#include "wire/codec.hpp"
#include "wire/link.hpp"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace muster;
using Path = std::filesystem::path;

void write(const Path& path, std::span<const std::byte> bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path.native());
    }
}

template <std::size_t... I>
std::vector<wire::Message> one_of_each(std::index_sequence<I...>) {
    return {wire::Message(std::in_place_index<I>)...};
}

std::vector<wire::Message> messages() {
    auto all = one_of_each(std::make_index_sequence<std::variant_size_v<wire::AnyMessage>>{});
    wire::Outcome failed;
    failed.kind = wire::Outcome::Kind::failed;
    auto& record = failed.failure.emplace_back();
    record.type = "std::out_of_range";
    record.message = "row 9";
    record.name = "reader";
    wire::Outcome value;
    value.value = to_buffer(std::string("twelve bytes"));
    all.push_back(
        wire::Finished{{{TaskId{1}, LeaseId{2}, failed}, {TaskId{3}, LeaseId{2}, value}}});
    wire::Run run;
    run.name = "train";
    run.task_class.demand.custom.emplace_back("license", Amount{1});
    run.tasks.push_back(
        {TaskId{7}, 1, value.value, {{ObjectId{8}, value.value, 13, false, Rank{2}}}});
    run.gang.members = {Rank{0}, Rank{1}};
    run.devices = {0, 3};
    all.push_back(run);
    all.push_back(wire::Submit{run.task_class, {{ObjectId{1}, 1'000'000}, {ObjectId{9}, 2}}});
    return all;
}

void make_wire(const Path& folder) {
    wire::Link link({.world_size = 2});
    std::vector<std::byte> packets;
    int number = 0;
    for (const auto& message : messages()) {
        Writer writer;
        wire::encode_envelope(writer, Term{3}, message);
        write(folder / ("message-" + std::to_string(number++)), writer.bytes());
        link.post(Rank{1}, writer.bytes());
        link.flush([&](Rank, std::span<const std::byte> packet) {
            // As the target cuts its input; the header is made anew there.
            const auto content = packet.subspan(8);
            std::vector<std::byte> padded(content.begin(), content.end());
            padded.resize((padded.size() + 15) / 16 * 16);
            packets.push_back(static_cast<std::byte>(padded.size() / 16 * 2 + 1));
            packets.insert(packets.end(), padded.begin(), padded.end());
        });
    }
    write(folder / "packets", packets);
}

void make_journal(const Path& folder) {
    journal::SegmentStart start;
    start.format = journal::segment_format;
    start.job = 1;
    start.host = "n17";
    std::vector<std::byte> segment;
    journal::encode_record(segment, journal::RecordKind::start, {}, 0, to_buffer(start).bytes());
    write(folder / "start", segment);
    write(folder / "start-value", to_buffer(start).bytes());
    for (std::uint64_t i = 0; i < 3; ++i) {
        const Buffer value = to_buffer(std::string(i * 20, 'x'));
        journal::encode_record(segment, journal::RecordKind::result, {i, i}, 7, value.bytes());
    }
    journal::encode_record(segment, journal::RecordKind::released, {4, 4}, 1, {});
    journal::encode_record(segment, journal::RecordKind::end, {}, 0, {});
    write(folder / "segment", segment);
    write(folder / "torn", std::span(segment).first(segment.size() - 60));
    segment[100] ^= std::byte{1};
    write(folder / "damaged", segment);
    write(folder / "claims",
          journal::encode_claims(2, std::vector<journal::KeyDigest>{{1, 2}, {3, 4}}));
}

template <class T>
void make_value(const Path& folder, int which, const T& value) {
    const Buffer bytes = to_buffer(value);
    std::vector<std::byte> input{static_cast<std::byte>(which)};
    input.insert(input.end(), bytes.bytes().begin(), bytes.bytes().end());
    write(folder / ("type-" + std::to_string(which)), input);
}

/// By the number that serialize.cpp gives each type, in an encoding of that type.
void make_serialize(const Path& folder) {
    using std::string;
    using std::vector;
    make_value(folder, 0, string("text"));
    make_value(folder, 1, vector<std::pair<double, std::pair<float, std::int16_t>>>{{1, {2, 3}}});
    make_value(folder, 2, vector<vector<string>>{{"a", "bc"}, {}, {"d"}});
    make_value(folder,
               3,
               std::pair<string, vector<std::pair<string, vector<int>>>>{"root", {{"leaf", {}}}});
    make_value(folder,
               4,
               std::tuple<std::map<string, std::pair<double, std::pair<float, std::int16_t>>>,
                          vector<bool>,
                          std::optional<std::variant<std::monostate, string>>>{
                   {{"p", {1, {2, 3}}}}, {true, false, true}, string("next")});
    make_value(
        folder, 5, std::map<string, vector<std::optional<std::int32_t>>>{{"a", {1, std::nullopt}}});
    make_value(folder, 6, vector<std::uint8_t>{1, 2, 3});
    make_value(folder, 7, vector<std::pair<bool, string>>{{true, "x"}, {false, ""}});
    make_value(
        folder,
        8,
        vector<std::variant<bool, double, string, Buffer>>{true, 2.5, string("s"), Buffer()});
    make_value(folder, 10, std::multimap<std::int8_t, vector<bool>>{{1, {true}}, {1, {}}});
    make_value(folder, 11, vector<std::monostate>(3));
}

void put(std::string& text, std::uint64_t number, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
        text += static_cast<char>(number >> (8 * i) & 0xFFU);
    }
}

std::string npy(std::string_view descr, std::string_view order, std::string_view shape) {
    const std::string header = "{'descr': '" + std::string(descr) +
                               "', 'fortran_order': " + std::string(order) +
                               ", 'shape': " + std::string(shape) + ", }\n";
    std::string text = "\x93NUMPY\x01";
    put(text, 0, 1);
    put(text, header.size(), 2);
    return text + header + std::string(48, '\1');
}

/// An archive of one file; checksums do not hold, which is for the fuzzer to mend.
std::string zip(int method, std::string_view packed) {
    std::string text;
    const auto common = [&](std::uint64_t mark) {
        put(text, mark, 4);
        put(text, mark == 0x02014b50 ? 0x00140014 : 20, mark == 0x02014b50 ? 4 : 2);
        put(text, 0, 2);
        put(text, static_cast<std::uint64_t>(method), 2);
        put(text, 0, 8);
        put(text, packed.size(), 4);
        put(text, method == 0 ? packed.size() : 300, 4);
        put(text, 5, 2);
        put(text, 0, 2);
    };
    common(0x04034b50);
    text += "x.npy";
    text += packed;
    const auto directory = text.size();
    common(0x02014b50);
    put(text, 0, 14);
    text += "x.npy";
    const auto bytes = text.size() - directory;
    put(text, 0x06054b50, 4);
    put(text, 0, 4);
    put(text, 0x00010001, 4);
    put(text, bytes, 4);
    put(text, directory, 4);
    put(text, 0, 2);
    return text;
}

/// By the number that tables.cpp gives each format.
void make_tables(const Path& folder) {
    const auto add = [&](const std::string& name, char format, std::string_view text) {
        const std::string input = format + std::string(text);
        write(folder / name, std::as_bytes(std::span(input)));
    };
    add("csv",
        0,
        "\xEF\xBB\xBF"
        "id,name,x\r\n1,\"a \"\"b\"\"\",2.5\r\n2,,nan\r\n");
    add("csv-torn", 0, "a,b\n1,\"2\n");
    add("npy", 1, npy("<f4", "False", "(4, 3)"));
    add("npy-fortran", 1, npy(">i2", "True", "(2, 3, 4)"));
    add("npy-text", 1, npy("<U3", "False", "(4,)"));
    add("zip", 2, zip(0, npy("|u1", "False", "(3,)")));
    add("zip-deflated", 2, zip(8, std::string_view("\xab\xa8\x18\x99\x00\x00", 6)));
}

/// Chunks as the number of their pipeline in chunks.cpp, the mask, and what its filters made of 4
/// KiB.
void make_chunks(const Path& folder) {
    const std::vector<unsigned char> zeros(4096);
    std::vector<unsigned char> deflated(::compressBound(zeros.size()));
    uLongf size = deflated.size();
    if (::compress(deflated.data(), &size, zeros.data(), zeros.size()) != Z_OK) {
        throw std::runtime_error("zlib cannot compress");
    }
    deflated.resize(size);
    for (unsigned char pipeline = 0; pipeline < 2; ++pipeline) {
        std::vector<unsigned char> input(2 + deflated.size());
        input[0] = pipeline;
        std::copy(deflated.begin(), deflated.end(), input.begin() + 2);
        write(folder / ("deflated-" + std::to_string(pipeline)), std::as_bytes(std::span(input)));
    }
    std::vector<unsigned char> plain(2 + zeros.size());
    plain[0] = 1;
    plain[1] = 3; // both filters skipped
    write(folder / "skipped", std::as_bytes(std::span(plain)));
    plain[0] = 4;
    plain[1] = 0;
    write(folder / "shuffled", std::as_bytes(std::span(plain)));
    std::vector<unsigned char> lz4{7, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x10, 0, 0, 0, 0x10, 0};
    lz4.resize(lz4.size() + zeros.size());
    write(folder / "lz4", std::as_bytes(std::span(lz4)));

    data::DatasetDescription chunked;
    chunked.column = {.name = "x",
                      .shape = {10, 3},
                      .type = data::ElementType::int16,
                      .type_text = "int16",
                      .chunk = {4, 3},
                      .layout = data::StorageLayout::chunked,
                      .element_bytes = 2,
                      .filters = {{1, "deflate", {6}}}};
    chunked.storage.kind = data::Storage::Kind::chunked;
    chunked.storage.chunks = {{100, 20, 0}, {120, 9, 1}, {}};
    data::DatasetDescription made_of = chunked;
    made_of.storage = {};
    made_of.column.layout = data::StorageLayout::virtual_dataset;
    made_of.column.chunk.clear();
    made_of.column.filters.clear();
    made_of.pieces = {{0, 10, "a.h5", "x", 3}};
    const auto index = data::encode_index(
        {{"a.h5", {.stamp = {1, 2, 3, 4}, .is_complete = true, .datasets = {chunked, made_of}}}});
    write(folder / "index", index);
    constexpr std::size_t header = 16;
    write(folder / "index-body", std::span(index).subspan(header));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_seeds <corpus folder>\n";
        return 2;
    }
    const Path corpus = argv[1];
    make_chunks(corpus / "chunks");
    make_wire(corpus / "wire");
    make_journal(corpus / "journal");
    make_serialize(corpus / "serialize");
    make_tables(corpus / "tables");
}
