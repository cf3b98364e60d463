#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The names of files that are being written, and of shards. Pure.
namespace muster::data::write {

/// A shard's name in the folder of shards: "g3-00017-6f1e02a4.h5".
struct ShardName {
    std::uint64_t generation = 0;
    std::uint32_t shard = 0;
    std::string nonce; ///< Tells attempts to write the same shard apart.

    bool operator==(const ShardName&) const = default;
};

[[nodiscard]] std::string to_text(const ShardName& name);

/// The reverse; nothing for any other name. With ".part-…" behind it, it is no shard yet.
[[nodiscard]] std::optional<ShardName> parse_shard_name(std::string_view text);

/// "digits.h5.shards", the folder of the table "digits.h5".
[[nodiscard]] std::string shards_folder(std::string_view table);

/// "digits.h5.part-6f1e02a4": what becomes "digits.h5" when it is complete.
[[nodiscard]] std::string part_name(std::string_view file, std::string_view nonce);

/// The file that a part would become; nothing for a name that is of no part.
[[nodiscard]] std::optional<std::string> file_of_part(std::string_view name);

/// What a file in the folder of shards is, seen from the table's present generation.
enum class Standing : std::uint8_t {
    needed,   ///< Of this generation or the one before, or of one that is being written.
    part,     ///< A writer has not finished it.
    stray,    ///< Of this generation, and the table does not refer to it.
    outdated, ///< Of a generation before the previous one.
    foreign,  ///< No writer gives such names: not ours to touch.
};

/// @param is_named  The table of the present generation refers to it.
[[nodiscard]] Standing standing_of(std::string_view name, std::uint64_t generation, bool is_named);

} // namespace muster::data::write
