#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace muster::process {

/// A cgroup of its own for one process, in which the kernel enforces a memory limit: where this
/// process's own memory cgroup may be divided (cgroup v1, or v2 with the controller delegated).
class MemoryGroup {
public:
    /// Nothing where that is not possible.
    static std::optional<MemoryGroup> make(std::uint64_t limit_bytes, std::string_view name);

    MemoryGroup(MemoryGroup&& other) noexcept
        : path_(std::exchange(other.path_, {})), version_(other.version_) {}

    MemoryGroup& operator=(MemoryGroup&& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(version_, other.version_);
        return *this;
    }

    /// Tries remove().
    ~MemoryGroup() { (void)remove(); }

    /// Removes its directory. @return false if processes are left in it, be it that they were
    /// killed and have not gone yet.
    bool remove();

    /// @return false if the kernel does not let it in; then the group is of no use.
    [[nodiscard]] bool take_in(pid_t pid) const;

    /// The most that was used, if the kernel ended a process for it; else zero.
    [[nodiscard]] std::uint64_t exceeded_bytes() const;

private:
    MemoryGroup(std::filesystem::path path, int version)
        : path_(std::move(path)), version_(version) {}

    static std::optional<MemoryGroup> make_in(const std::filesystem::path& parent,
                                              int version,
                                              std::uint64_t limit_bytes,
                                              std::string_view name);

    std::filesystem::path path_; ///< Empty when moved from.
    int version_;
};

} // namespace muster::process
