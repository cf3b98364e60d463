#include "process/memory_group.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace muster::process {
namespace {

namespace fs = std::filesystem;

bool write_text(const fs::path& file, const std::string& text) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    return written;
}

std::uint64_t number_in(const fs::path& file) {
    std::ifstream stream(file);
    std::uint64_t number = 0;
    stream >> number;
    return number;
}

/// The number behind a word, in a file of "word number" lines.
std::uint64_t number_after(const fs::path& file, std::string_view word) {
    std::ifstream stream(file);
    std::string name;
    for (std::uint64_t number = 0; stream >> name >> number;) {
        if (name == word) {
            return number;
        }
    }
    return 0;
}

} // namespace

std::optional<MemoryGroup> MemoryGroup::make(std::uint64_t limit_bytes, std::string_view name) {
    // Lines are "number:controllers:path"; v2 has the number 0 and no controllers.
    std::ifstream own("/proc/self/cgroup");
    for (std::string line; std::getline(own, line);) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) {
            continue;
        }
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string path = line.substr(second + 1);
        if (("," + controllers + ",").find(",memory,") != std::string::npos) {
            return make_in("/sys/fs/cgroup/memory" + path, 1, limit_bytes, name);
        }
        if (controllers.empty() && fs::exists("/sys/fs/cgroup/cgroup.controllers")) {
            const fs::path group = "/sys/fs/cgroup" + path;
            // A group that has processes, as ours, gives its children no controllers (unless it
            // is the root), so a sibling is tried as well.
            if (auto made = make_in(group, 2, limit_bytes, name)) {
                return made;
            }
            return make_in(group.parent_path(), 2, limit_bytes, name);
        }
    }
    return std::nullopt;
}

std::optional<MemoryGroup> MemoryGroup::make_in(const fs::path& parent,
                                                int version,
                                                std::uint64_t limit_bytes,
                                                std::string_view name) {
    const fs::path path = parent / name;
    if (::mkdir(path.c_str(), 0755) != 0) {
        return std::nullopt;
    }
    MemoryGroup group(path, version);
    const std::string limit = std::to_string(limit_bytes);
    if (version == 1) {
        if (!write_text(path / "memory.limit_in_bytes", limit)) {
            return std::nullopt;
        }
        write_text(path / "memory.memsw.limit_in_bytes", limit); // where swap is counted
    } else {
        if (!write_text(path / "memory.max", limit)) {
            return std::nullopt;
        }
        write_text(path / "memory.swap.max", "0");
        write_text(path / "memory.oom.group", "1");
    }
    return group;
}

bool MemoryGroup::remove() {
    if (path_.empty() || ::rmdir(path_.c_str()) == 0 || errno != EBUSY) {
        path_.clear();
    }
    return path_.empty();
}

bool MemoryGroup::take_in(pid_t pid) const {
    return write_text(path_ / "cgroup.procs", std::to_string(pid));
}

std::uint64_t MemoryGroup::exceeded_bytes() const {
    const fs::path events = path_ / (version_ == 1 ? "memory.oom_control" : "memory.events");
    if (number_after(events, "oom_kill") == 0) {
        return 0;
    }
    const std::uint64_t peak =
        number_in(path_ / (version_ == 1 ? "memory.max_usage_in_bytes" : "memory.peak"));
    return peak > 0 ? peak : number_in(path_ / "memory.max");
}

} // namespace muster::process
