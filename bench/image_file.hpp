#pragma once

#include <cstdint>
#include <filesystem>

namespace bench {

inline constexpr std::uint64_t image_values =
    784; ///< float32 in a row of "x", four of five of them 0.
inline constexpr std::uint64_t image_chunk_rows = 256;

enum class ImageStorage { contiguous, chunked, gzip };

/// An HDF5 file of images "x" and labels "y" (int64) as h5py would write it, gone with the object.
/// The same as bench/peers/dataset_files.py's but for which numbers are drawn.
class ImageFile {
public:
    ImageFile(const std::filesystem::path& directory, std::uint64_t rows, ImageStorage storage);
    ~ImageFile();
    ImageFile(const ImageFile&) = delete;
    ImageFile& operator=(const ImageFile&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// Of the first value of "x" in a contiguous file.
    [[nodiscard]] std::uint64_t offset() const { return offset_; }

private:
    std::filesystem::path path_;
    std::uint64_t offset_ = 0;
};

} // namespace bench
