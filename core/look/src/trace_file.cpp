#include <muster/look/trace_file.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <istream>
#include <map>

namespace muster::look {
namespace {

// A block that claims more is damaged.
constexpr std::uint32_t content_bytes_max = std::uint32_t{64} << 20;

struct Head {
    std::uint32_t magic = trace_magic;
    std::uint16_t version = trace_version;
    BlockType type{};
    std::uint32_t lane = 0;
    std::uint32_t bytes = 0;
    std::uint64_t checksum = 0;
};

static_assert(sizeof(Head) == block_head_bytes);

// FNV-1a over words of 8 bytes, in four strands so that they overlap, and what the head says.
std::uint64_t checksum_of(const Head& head, std::span<const std::byte> content) {
    constexpr std::uint64_t prime = 0x100000001b3;
    constexpr std::uint64_t basis = 0xcbf29ce484222325;
    std::uint64_t strands[4] = {basis, basis + 1, basis + 2, basis + 3};
    std::size_t at = 0;
    for (; at + 32 <= content.size(); at += 32) {
        std::uint64_t words[4];
        std::memcpy(words, content.data() + at, sizeof words);
        for (int i = 0; i < 4; ++i) {
            strands[i] = (strands[i] ^ words[i]) * prime;
            strands[i] ^= strands[i] >> 29;
        }
    }
    std::uint64_t sum = basis;
    const auto take = [&](std::uint64_t word) {
        sum = (sum ^ word) * prime;
        sum ^= sum >> 29;
    };
    for (const std::uint64_t strand : strands) {
        take(strand);
    }
    for (; at < content.size(); ++at) {
        take(static_cast<std::uint64_t>(content[at]));
    }
    take((std::uint64_t{head.bytes} << 32) | head.lane);
    take(static_cast<std::uint64_t>(head.type));
    return sum;
}

template <class T>
bool take_number(std::string_view text, T& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

/// Of texts that stand on a line of their own.
std::string on_one_line(std::string text) {
    for (char& letter : text) {
        letter = letter == '\n' ? ' ' : letter;
    }
    return text;
}

} // namespace

void encode_block_head(std::span<std::byte, block_head_bytes> head,
                       BlockType type,
                       std::uint32_t lane,
                       std::span<const std::byte> content) {
    Head made;
    made.type = type;
    made.lane = lane;
    made.bytes = static_cast<std::uint32_t>(content.size());
    made.checksum = checksum_of(made, content);
    std::memcpy(head.data(), &made, sizeof made);
}

std::vector<std::byte>
encode_block(BlockType type, std::uint32_t lane, std::span<const std::byte> content) {
    std::vector<std::byte> block(block_head_bytes + content.size());
    encode_block_head(std::span<std::byte, block_head_bytes>(block.data(), block_head_bytes),
                      type,
                      lane,
                      content);
    if (!content.empty()) {
        std::memcpy(block.data() + block_head_bytes, content.data(), content.size());
    }
    return block;
}

std::string encode_header(const TraceHeader& header) {
    return fmt::format("run={:016x}\nrank={}\nworld={}\nnode={}\nhost={}\npid={}\ncpus={}\n"
                       "program={}\njob={}\nmonotonic={}\nrealtime={}\n",
                       header.run_id,
                       header.rank,
                       header.world_size,
                       header.node,
                       on_one_line(header.host),
                       header.pid,
                       header.cpus,
                       on_one_line(header.program),
                       on_one_line(header.job),
                       header.monotonic_ns,
                       header.realtime_ns);
}

std::optional<TraceHeader> decode_header(std::string_view content) {
    std::map<std::string_view, std::string_view> fields;
    while (!content.empty()) {
        const auto end = content.find('\n');
        const std::string_view line = content.substr(0, end);
        const auto equals = line.find('=');
        if (end == std::string_view::npos || equals == std::string_view::npos) {
            return std::nullopt;
        }
        fields[line.substr(0, equals)] = line.substr(equals + 1);
        content.remove_prefix(end + 1);
    }
    TraceHeader header;
    const std::string_view run = fields["run"];
    const auto [end, error] =
        std::from_chars(run.data(), run.data() + run.size(), header.run_id, 16);
    if (error != std::errc{} || end != run.data() + run.size() ||
        !take_number(fields["rank"], header.rank) ||
        !take_number(fields["world"], header.world_size) ||
        !take_number(fields["node"], header.node) || !take_number(fields["pid"], header.pid) ||
        !take_number(fields["cpus"], header.cpus) ||
        !take_number(fields["monotonic"], header.monotonic_ns) ||
        !take_number(fields["realtime"], header.realtime_ns)) {
        return std::nullopt;
    }
    header.host = fields["host"];
    header.program = fields["program"];
    header.job = fields["job"];
    return header;
}

std::vector<std::byte> encode_names(const Names& names) {
    std::vector<std::byte> content;
    for (const auto& [number, name] : names) {
        const std::uint32_t head[2] = {number, static_cast<std::uint32_t>(name.size())};
        const auto* const from = reinterpret_cast<const std::byte*>(head);
        content.insert(content.end(), from, from + sizeof head);
        const auto* const text = reinterpret_cast<const std::byte*>(name.data());
        content.insert(content.end(), text, text + name.size());
    }
    return content;
}

std::optional<Names> decode_names(std::span<const std::byte> content) {
    Names names;
    while (!content.empty()) {
        std::uint32_t head[2] = {};
        if (content.size() < sizeof head) {
            return std::nullopt;
        }
        std::memcpy(head, content.data(), sizeof head);
        content = content.subspan(sizeof head);
        if (head[1] > content.size()) {
            return std::nullopt;
        }
        names.emplace_back(head[0],
                           std::string(reinterpret_cast<const char*>(content.data()), head[1]));
        content = content.subspan(head[1]);
    }
    return names;
}

std::vector<Record> Block::records() const {
    std::vector<Record> records(content.size() / sizeof(Record));
    if (!records.empty()) {
        std::memcpy(records.data(), content.data(), records.size() * sizeof(Record));
    }
    return records;
}

std::optional<Block> TraceReader::next() {
    if (complete_ || !damage_.empty()) {
        return std::nullopt;
    }
    const auto damaged = [&](const char* what) {
        damage_ = fmt::format("{} at byte {}", what, offset_);
        return std::nullopt;
    };
    Head head;
    file_.read(reinterpret_cast<char*>(&head), sizeof head);
    if (file_.gcount() == 0) {
        return std::nullopt;
    }
    if (file_.gcount() != sizeof head) {
        return damaged("a block is cut off");
    }
    if (head.magic != trace_magic) {
        return damaged("no block begins");
    }
    if (head.version != trace_version) {
        return damaged("a block of another version of Muster's begins");
    }
    if (head.bytes > content_bytes_max ||
        (head.type == BlockType::records && head.bytes % sizeof(Record) != 0)) {
        return damaged("a block has a length that none has");
    }
    Block block{head.type, head.lane, std::vector<std::byte>(head.bytes)};
    file_.read(reinterpret_cast<char*>(block.content.data()), head.bytes);
    if (file_.gcount() != static_cast<std::streamsize>(head.bytes)) {
        return damaged("a block is cut off");
    }
    if (checksum_of(head, block.content) != head.checksum) {
        return damaged("a block has changed (its checksum is wrong)");
    }
    offset_ += sizeof head + head.bytes;
    complete_ = block.type == BlockType::end;
    return block;
}

} // namespace muster::look
