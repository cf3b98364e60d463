#pragma once

#include <optional>
#include <string>
#include <vector>

namespace muster::resources {

/// How the kernel's files are read: the real ones, or a made-up machine in a test.
class SystemFiles {
public:
    virtual ~SystemFiles() = default;

    /// The whole file; nothing if it cannot be read.
    [[nodiscard]] virtual std::optional<std::string> read(const std::string& path) const = 0;

    /// Names in a directory, sorted; none if it cannot be read.
    [[nodiscard]] virtual std::vector<std::string> list(const std::string& directory) const = 0;
};

/// This machine's.
class RealFiles : public SystemFiles {
public:
    [[nodiscard]] std::optional<std::string> read(const std::string& path) const override;
    [[nodiscard]] std::vector<std::string> list(const std::string& directory) const override;
};

} // namespace muster::resources
