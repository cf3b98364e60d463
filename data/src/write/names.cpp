#include "write/names.hpp"

#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data::write {
namespace {

constexpr std::string_view part_mark = ".part-";
constexpr std::size_t nonce_letters = 8;

bool is_nonce(std::string_view text) {
    return text.size() == nonce_letters &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

} // namespace

std::string to_text(const ShardName& name) {
    return fmt::format("g{}-{:05}-{}.h5", name.generation, name.shard, name.nonce);
}

std::optional<ShardName> parse_shard_name(std::string_view text) {
    if (!text.starts_with("g") || !text.ends_with(".h5")) {
        return std::nullopt;
    }
    const auto first = text.find('-');
    const auto second = text.find('-', std::min(first, text.size() - 1) + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) {
        return std::nullopt;
    }
    const auto generation = parse_whole<std::uint64_t>(text.substr(1, first - 1));
    const auto shard = parse_whole<std::uint32_t>(text.substr(first + 1, second - first - 1));
    const std::string_view nonce = text.substr(second + 1, text.size() - second - 1 - 3);
    if (!generation || !shard || !is_nonce(nonce)) {
        return std::nullopt;
    }
    return ShardName{*generation, *shard, std::string(nonce)};
}

std::string shards_folder(std::string_view table) {
    return fmt::format("{}.shards", table);
}

std::string part_name(std::string_view file, std::string_view nonce) {
    return fmt::format("{}{}{}", file, part_mark, nonce);
}

std::optional<std::string> file_of_part(std::string_view name) {
    const auto mark = name.rfind(part_mark);
    if (mark == std::string_view::npos || mark == 0 ||
        !is_nonce(name.substr(mark + part_mark.size()))) {
        return std::nullopt;
    }
    return std::string(name.substr(0, mark));
}

Standing standing_of(std::string_view name, std::uint64_t generation, bool is_named) {
    if (is_named) {
        return Standing::needed;
    }
    const auto file = file_of_part(name);
    const auto shard = parse_shard_name(file ? std::string_view(*file) : name);
    if (!shard) {
        return Standing::foreign;
    }
    if (file) {
        return Standing::part;
    }
    if (shard->generation == generation) {
        return Standing::stray;
    }
    return shard->generation + 1 < generation ? Standing::outdated : Standing::needed;
}

} // namespace muster::data::write
