#include "data/images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

// The library is this header, and this is the file that has it. What is not read is left out.
#define STBI_FAILURE_USERMSG
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PIC
#define STBI_NO_PSD
#define STBI_NO_GIF
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

namespace muster::launcher::data {
namespace {

Failure reason() {
    const char* const text = ::stbi_failure_reason();
    return {ErrorCode::malformed, text == nullptr ? "no reason given" : text};
}

struct Free {
    void operator()(void* memory) const { ::stbi_image_free(memory); }
};

} // namespace

bool is_image_name(std::string_view extension) {
    constexpr std::array<std::string_view, 8> known{
        ".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pnm", ".bmp", ".tga"};
    std::string lower(extension);
    std::ranges::transform(lower, lower.begin(), [](unsigned char letter) {
        return static_cast<char>(std::tolower(letter));
    });
    return std::ranges::find(known, std::string_view(lower)) != known.end();
}

Result<ImageInfo> look_at_image(const std::filesystem::path& file) {
    int width = 0;
    int height = 0;
    int channels = 0;
    if (::stbi_info(file.c_str(), &width, &height, &channels) == 0) {
        return reason();
    }
    return ImageInfo{static_cast<std::uint64_t>(height),
                     static_cast<std::uint64_t>(width),
                     static_cast<std::uint64_t>(channels),
                     ::stbi_is_16_bit(file.c_str()) != 0};
}

Result<std::monostate>
read_image(const std::filesystem::path& file, const ImageInfo& info, std::span<std::byte> out) {
    int width = 0;
    int height = 0;
    int channels = 0;
    const std::unique_ptr<void, Free> values(
        info.is_wide
            ? static_cast<void*>(::stbi_load_16(file.c_str(), &width, &height, &channels, 0))
            : static_cast<void*>(::stbi_load(file.c_str(), &width, &height, &channels, 0)));
    if (values == nullptr) {
        return reason();
    }
    if (static_cast<std::uint64_t>(width) != info.width ||
        static_cast<std::uint64_t>(height) != info.height ||
        static_cast<std::uint64_t>(channels) != info.channels || out.size() != info.bytes()) {
        return Failure{ErrorCode::malformed, "it has changed while it was read"};
    }
    std::memcpy(out.data(), values.get(), out.size());
    return std::monostate{};
}

} // namespace muster::launcher::data
