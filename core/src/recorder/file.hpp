#pragma once

#include "process/unique_fd.hpp"

#include <muster/base/result.hpp>
#include <muster/core/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// System calls on the journal's files, with errors that name the file and the reason.
namespace muster::recorder {

using process::UniqueFd;
using Path = std::filesystem::path;

/// "cannot write /x/segments/000001: No space left on device (ENOSPC)", of the present errno.
[[nodiscard]] Failure system_failure(std::string_view action, const Path& path);

[[nodiscard]] Result<UniqueFd> open_file(const Path& path, int flags);
[[nodiscard]] Result<std::monostate>
write_all(int fd, const Path& path, std::span<const std::byte> bytes);
/// To stable storage, the length included.
[[nodiscard]] Result<std::monostate> sync_data(int fd, const Path& path);
/// As far as the file goes: fewer bytes than wanted only at its end.
[[nodiscard]] Result<std::size_t>
read_at(int fd, const Path& path, std::uint64_t offset, std::span<std::byte> into);

[[nodiscard]] Result<std::vector<std::byte>> read_file(const Path& path);

/// Gives the file a second name, unless that is taken: atomically, on any file system that knows
/// hard links, also across nodes.
/// @return false if the name was taken.
[[nodiscard]] Result<bool> link_file(const Path& from, const Path& to);

/// The numbers that are names in a folder, sorted; other names are passed over.
[[nodiscard]] Result<std::vector<std::uint32_t>> list_numbers(const Path& folder);

/// "000123": sorts as it counts, up to a million.
[[nodiscard]] std::string number_name(std::uint32_t number);

/// Makes the folder and those above it where they are missing.
[[nodiscard]] Result<std::monostate> make_folder(const Path& path);

/// That a folder's new names outlive a crash; some file systems cannot, and do not need to.
void sync_folder(const Path& path);

/// Locks a file against others that would lock it, for as long as `fd` is open.
/// @return false where the file system has no locks.
[[nodiscard]] bool lock_file(int fd);

/// Whether anybody holds a lock on it, in this process or another; nothing if that is not known.
[[nodiscard]] std::optional<bool> is_locked(int fd);

} // namespace muster::recorder
