#pragma once

#include <filesystem>
#include <string>

/// Files that are there as a whole or not at all, also after a crash of the machine.
namespace muster::data::write {

/// Eight random letters for a name.
[[nodiscard]] std::string nonce();

/// Has the system write a file, or the names in a folder, to the disk.
void sync(const std::filesystem::path& path, const std::string& shown);

/// Gives a file that is safe on disk its name: readers see what was there before or all of it.
/// @param may_replace  If not, a file that has the name already is an error.
void put_in_place(const std::filesystem::path& part,
                  const std::filesystem::path& file,
                  const std::string& shown,
                  bool may_replace);

/// What has to be so before anything is made: there is the folder, `path` is none, and, unless it
/// may be replaced, nothing is there.
void check_place(const std::filesystem::path& path, bool may_replace);

/// The folder of a file, "." for a bare name; an error if it is not there.
[[nodiscard]] std::filesystem::path folder_of(const std::filesystem::path& file);

} // namespace muster::data::write
