#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace muster::launcher::data {

/// The bytes of a file, read where they are touched. They must not be cut off meanwhile.
class MappedFile {
public:
    /// @throws Error with the system's reason.
    static std::shared_ptr<MappedFile> open(const std::filesystem::path& file);

    /// A file without a name in the temporary folder, gone with the object, of what `fill` hands
    /// over.
    /// @param purpose  For messages: what is unpacked there.
    static std::shared_ptr<MappedFile> temporary(
        const std::string& purpose,
        const std::function<void(const std::function<void(std::span<const std::byte>)>&)>& fill);

    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

private:
    explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

    static std::shared_ptr<MappedFile> map(int descriptor, const std::string& name);

    std::span<const std::byte> bytes_;
};

} // namespace muster::launcher::data
