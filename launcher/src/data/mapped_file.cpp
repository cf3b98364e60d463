#include "data/mapped_file.hpp"

#include "process/unique_fd.hpp"

#include <muster/base/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace muster::launcher::data {
namespace {

[[noreturn]] void
refuse(std::string_view action, const std::string& name, std::string_view advice) {
    throw Error(fmt::format("cannot {} '{}': {}; {}", action, name, std::strerror(errno), advice));
}

} // namespace

std::shared_ptr<MappedFile> MappedFile::map(int descriptor, const std::string& name) {
    struct stat status {};

    if (::fstat(descriptor, &status) != 0) {
        refuse("read", name, "check the path");
    }
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        refuse("read", name, "name a file");
    }
    if (status.st_size == 0) {
        return std::shared_ptr<MappedFile>(new MappedFile({}));
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        refuse("read", name, "it must be a file on a disk, and no pipe");
    }
    return std::shared_ptr<MappedFile>(
        new MappedFile({static_cast<const std::byte*>(memory), size}));
}

std::shared_ptr<MappedFile> MappedFile::open(const std::filesystem::path& file) {
    const process::UniqueFd descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor) {
        refuse("read", file.string(), "check the path");
    }
    return map(descriptor.get(), file.string());
}

std::shared_ptr<MappedFile> MappedFile::temporary(
    const std::string& purpose,
    const std::function<void(const std::function<void(std::span<const std::byte>)>&)>& fill) {
    std::string name = (std::filesystem::temp_directory_path() / "muster-data-XXXXXX").string();
    const process::UniqueFd descriptor(::mkostemp(name.data(), O_CLOEXEC));
    constexpr std::string_view advice = "make room there, or set TMPDIR to another folder";
    if (!descriptor) {
        refuse(fmt::format("unpack {} to", purpose), name, advice);
    }
    ::unlink(name.c_str());
    fill([&](std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t put = ::write(descriptor.get(), bytes.data(), bytes.size());
            if (put < 0 && errno != EINTR) {
                refuse(fmt::format("unpack {} to", purpose), name, advice);
            }
            bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(put, 0)));
        }
    });
    return map(descriptor.get(), name);
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) {
        ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }
}

} // namespace muster::launcher::data
