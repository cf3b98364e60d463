#include "file_set.hpp"

#include <muster/base/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace muster::data {
namespace {

FileStamp stamp_from(const struct stat& status) {
    constexpr std::int64_t nanoseconds = 1'000'000'000;
    return {static_cast<std::uint64_t>(status.st_dev),
            static_cast<std::uint64_t>(status.st_ino),
            static_cast<std::uint64_t>(status.st_size),
            status.st_mtim.tv_sec * nanoseconds + status.st_mtim.tv_nsec};
}

std::size_t open_max() {
    constexpr rlim_t few = 16;
    constexpr rlim_t many = 16'384;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return few;
    }
    return static_cast<std::size_t>(std::clamp(limit.rlim_cur / 4, few, many));
}

[[noreturn]] void cannot_open(const std::string& path, int error) {
    throw Error(fmt::format("cannot open '{}': {}; check the path, seen from the directory the "
                            "program was started in",
                            path,
                            std::strerror(error)));
}

} // namespace

FileStamp stamp_of(const std::string& path) {
    struct stat status {};

    if (::stat(path.c_str(), &status) != 0) {
        cannot_open(path, errno);
    }
    return stamp_from(status);
}

FileSet::Descriptor::~Descriptor() {
    ::close(fd_);
}

FileSet::FileSet() : open_max_(open_max()) {
}

std::size_t FileSet::add(std::string path, FileStamp stamp) {
    files_.push_back({std::move(path), stamp, nullptr, open_.end()});
    return files_.size() - 1;
}

void FileSet::check_unchanged(const File& file, int fd) const {
    struct stat status {};

    if (::fstat(fd, &status) != 0) {
        cannot_open(file.path, errno);
    }
    const FileStamp now = stamp_from(status);
    if (now == file.stamp) {
        return;
    }
    const bool is_other = now.inode != file.stamp.inode || now.device != file.stamp.device;
    throw Error(fmt::format("'{}' {} while it was being read ({} bytes before, {} now); what was "
                            "read of it does not fit "
                            "together: open it again when nobody writes it",
                            file.path,
                            is_other                       ? "was replaced"
                            : now.bytes < file.stamp.bytes ? "was cut off"
                            : now.bytes > file.stamp.bytes ? "grew"
                                                           : "was written to",
                            file.stamp.bytes,
                            now.bytes));
}

std::shared_ptr<const FileSet::Descriptor> FileSet::open(std::size_t index) {
    File& file = files_[index];
    {
        const std::lock_guard lock(mutex_);
        if (file.descriptor) {
            open_.splice(open_.begin(), open_, file.use);
            auto descriptor = file.descriptor;
            check_unchanged(file, descriptor->fd());
            return descriptor;
        }
    }
    const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cannot_open(file.path, errno);
    }
    auto descriptor = std::make_shared<const Descriptor>(fd);
    check_unchanged(file, fd);
    const std::lock_guard lock(mutex_);
    if (file.descriptor) { // another thread was faster
        return file.descriptor;
    }
    if (open_.size() >= open_max_) {
        files_[open_.back()].descriptor = nullptr; // closed when the last that reads it is done
        open_.pop_back();
    }
    open_.push_front(index);
    file.descriptor = descriptor;
    file.use = open_.begin();
    return descriptor;
}

void FileSet::read(std::size_t file,
                   const Descriptor& descriptor,
                   std::uint64_t offset,
                   std::span<std::byte> out,
                   std::string_view dataset) const {
    const std::size_t wanted = out.size();
    while (!out.empty()) {
        const ssize_t bytes =
            ::pread(descriptor.fd(), out.data(), out.size(), static_cast<off_t>(offset));
        if (bytes > 0) {
            out = out.subspan(static_cast<std::size_t>(bytes));
            offset += static_cast<std::uint64_t>(bytes);
            continue;
        }
        if (bytes < 0 && errno == EINTR) {
            continue;
        }
        throw Error(fmt::format(
            "cannot read {} bytes of dataset '{}' at offset {} of '{}': {}",
            wanted,
            dataset,
            offset - (wanted - out.size()),
            path(file),
            bytes == 0
                ? std::string("the file ends there; it is cut off, so write or copy it again")
                : fmt::format("{}; check the disk or file system", std::strerror(errno))));
    }
}

} // namespace muster::data
