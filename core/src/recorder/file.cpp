#include "recorder/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace muster::recorder {

Failure system_failure(std::string_view action, const Path& path) {
    const int number = errno;
    const char* const name = ::strerrorname_np(number);
    return {ErrorCode::failed,
            fmt::format("cannot {} {}: {} ({})",
                        action,
                        path.native(),
                        std::strerror(number),
                        name == nullptr ? "?" : name)};
}

Result<UniqueFd> open_file(const Path& path, int flags) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0666));
    if (!fd) {
        return system_failure("open", path);
    }
    return fd;
}

Result<std::monostate> write_all(int fd, const Path& path, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ::ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return system_failure("write", path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return std::monostate{};
}

Result<std::monostate> sync_data(int fd, const Path& path) {
    // EINVAL: what is no file on a disk has nothing to be synchronised.
    if (::fdatasync(fd) != 0 && errno != EINVAL) {
        return system_failure("write", path);
    }
    return std::monostate{};
}

Result<std::size_t>
read_at(int fd, const Path& path, std::uint64_t offset, std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
        const ::ssize_t got = ::pread(
            fd, into.data() + done, into.size() - done, static_cast<::off_t>(offset + done));
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return system_failure("read", path);
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Result<std::vector<std::byte>> read_file(const Path& path) {
    auto fd = open_file(path, O_RDONLY);
    if (!fd) {
        return fd.error();
    }

    struct ::stat status {};

    if (::fstat(fd->get(), &status) != 0) {
        return system_failure("read", path);
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
    const auto size = read_at(fd->get(), path, 0, bytes);
    if (!size) {
        return size.error();
    }
    bytes.resize(*size);
    return bytes;
}

Result<bool> link_file(const Path& from, const Path& to) {
    if (::link(from.c_str(), to.c_str()) == 0) {
        return true;
    }
    const int number = errno;

    // Over NFS an answer may be lost and the call repeated: then the name is there, and ours.
    struct ::stat status {};

    if (::stat(from.c_str(), &status) == 0 && status.st_nlink == 2) {
        return true;
    }
    errno = number;
    if (number == EEXIST) {
        return false;
    }
    return system_failure("make", to);
}

Result<std::vector<std::uint32_t>> list_numbers(const Path& folder) {
    std::error_code error;
    std::vector<std::uint32_t> numbers;
    auto entry = std::filesystem::directory_iterator(folder, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename().native();
        std::uint32_t number = 0;
        const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (problem == std::errc{} && end == name.data() + name.size() && number > 0) {
            numbers.push_back(number);
        }
    }
    if (error) {
        errno = error.value();
        return system_failure("read", folder);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

std::string number_name(std::uint32_t number) {
    return fmt::format("{:06}", number);
}

Result<std::monostate> make_folder(const Path& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
        errno = error.value();
        return system_failure("make the folder", path);
    }
    return std::monostate{};
}

void sync_folder(const Path& path) {
    if (const auto fd = open_file(path, O_RDONLY | O_DIRECTORY)) {
        (void)::fsync(fd->get());
    }
}

bool lock_file(int fd) {
    struct ::flock lock {};

    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

std::optional<bool> is_locked(int fd) {
    struct ::flock lock {};

    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) {
        return std::nullopt;
    }
    return lock.l_type != F_UNLCK;
}

} // namespace muster::recorder
