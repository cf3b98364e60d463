#include "write/durable.hpp"

#include <muster/base/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace muster::data::write {
namespace {

[[noreturn]] void
refuse(std::string_view action, const std::string& shown, int error, std::string_view advice) {
    throw Error(fmt::format("cannot {} '{}': {}; {}", action, shown, std::strerror(error), advice));
}

} // namespace

std::string nonce() {
    std::uint32_t bits = 0;
    while (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {
    }
    return fmt::format("{:08x}", bits);
}

void sync(const std::filesystem::path& path, const std::string& shown) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        refuse("open", shown, errno, "somebody has removed it meanwhile; write it again");
    }
    const int error = ::fsync(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    // A folder of some network file systems cannot be synchronised: they do it on their own.
    if (error != 0 && error != EINVAL && error != ENOTSUP) {
        refuse("write", shown, error, "the disk may be full or failing; write it elsewhere");
    }
}

void put_in_place(const std::filesystem::path& part,
                  const std::filesystem::path& file,
                  const std::string& shown,
                  bool may_replace) {
    // A link fails where a file is, and a rename replaces it; some file systems have no links.
    bool is_placed = false;
    if (!may_replace) {
        if (::link(part.c_str(), file.c_str()) == 0) {
            is_placed = true;
            ::unlink(part.c_str());
        } else if (errno == EEXIST) {
            throw Error(fmt::format("cannot write '{}': it has appeared since writing began; allow "
                                    "that it is replaced, or choose another name",
                                    shown));
        }
    }
    if (!is_placed && std::rename(part.c_str(), file.c_str()) != 0) {
        refuse("write", shown, errno, "check the folder's permissions, and that it is no folder");
    }
    sync(folder_of(file), folder_of(file).string());
}

void check_place(const std::filesystem::path& path, bool may_replace) {
    static_cast<void>(folder_of(path));
    std::error_code error;
    const auto status = std::filesystem::symlink_status(path, error);
    if (std::filesystem::is_directory(status)) {
        throw Error(fmt::format("cannot write '{}': it is a folder; name a file", path.string()));
    }
    if (!may_replace && std::filesystem::exists(status)) {
        throw Error(
            fmt::format("cannot write '{}': it exists; allow that it is replaced, or choose "
                        "another name",
                        path.string()));
    }
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
    const std::filesystem::path folder =
        file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) {
        throw Error(fmt::format("cannot write '{}': there is no folder '{}'; make it first",
                                file.string(),
                                folder.string()));
    }
    return folder;
}

} // namespace muster::data::write
