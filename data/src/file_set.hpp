#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::data {

/// What tells a file from another of the same name.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t bytes = 0;
    std::int64_t modified_ns = 0; ///< Since 1970.

    bool operator==(const FileStamp&) const = default;
};

/// The stamp of the file of that name; throws Error with the system's reason.
[[nodiscard]] FileStamp stamp_of(const std::string& path);

/// Files that are read at any offset, of which only some are open at once. Calls from any thread.
///
/// A file that was replaced, cut off or written to since its stamp was taken is an error: what was
/// found out about it does not hold any more.
class FileSet {
public:
    /// One open descriptor; the file stays open while it is held.
    class Descriptor {
    public:
        explicit Descriptor(int fd) : fd_(fd) {}

        ~Descriptor();
        Descriptor(const Descriptor&) = delete;
        Descriptor& operator=(const Descriptor&) = delete;

        [[nodiscard]] int fd() const { return fd_; }

    private:
        int fd_;
    };

    /// Keeps a quarter of the descriptors that this process may have open when nobody reads.
    FileSet();

    /// @return its number; files count from 0.
    std::size_t add(std::string path, FileStamp stamp);

    [[nodiscard]] std::size_t size() const { return files_.size(); }

    [[nodiscard]] const std::string& path(std::size_t file) const { return files_[file].path; }

    [[nodiscard]] const FileStamp& stamp(std::size_t file) const { return files_[file].stamp; }

    /// Opens the file if it is not, and checks that it is the one whose stamp was given.
    [[nodiscard]] std::shared_ptr<const Descriptor> open(std::size_t file);

    /// Reads exactly `out.size()` bytes. `dataset` is for the error's text.
    void read(std::size_t file,
              const Descriptor& descriptor,
              std::uint64_t offset,
              std::span<std::byte> out,
              std::string_view dataset) const;

private:
    struct File {
        std::string path;
        FileStamp stamp;
        std::shared_ptr<const Descriptor> descriptor; ///< Null: not open.
        std::list<std::size_t>::iterator use;         ///< In open_, while it is open.
    };

    void check_unchanged(const File& file, int fd) const;

    std::vector<File> files_;
    std::size_t open_max_;
    std::mutex mutex_;            ///< Guards descriptors, their uses, and open_.
    std::list<std::size_t> open_; ///< The latest used first.
};

} // namespace muster::data
