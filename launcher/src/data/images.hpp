#pragma once

#include <muster/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <variant>

namespace muster::launcher::data {

struct ImageInfo {
    std::uint64_t height = 0;
    std::uint64_t width = 0;
    std::uint64_t channels = 0; ///< Grey 1, grey with alpha 2, RGB 3, RGBA 4.
    bool is_wide = false;       ///< 16 bits a channel; else 8.

    bool operator==(const ImageInfo&) const = default;

    [[nodiscard]] std::uint64_t bytes() const {
        return height * width * channels * (is_wide ? 2 : 1);
    }
};

/// Reading images, by stb_image where it was found; else every call fails and says so.
///
/// Whether a file's name is that of an image that can be read.
[[nodiscard]] bool is_image_name(std::string_view extension);

/// Size of an image, from its header.
[[nodiscard]] Result<ImageInfo> look_at_image(const std::filesystem::path& file);

/// Its values, row by row from the top, channels last.
/// @param out  Exactly info.bytes().
[[nodiscard]] Result<std::monostate>
read_image(const std::filesystem::path& file, const ImageInfo& info, std::span<std::byte> out);

} // namespace muster::launcher::data
