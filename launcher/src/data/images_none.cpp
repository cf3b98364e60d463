#include "data/images.hpp"

namespace muster::launcher::data {
namespace {

Failure missing() {
    return {
        ErrorCode::usage,
        "this muster was built without stb_image; install it (Debian: libstb-dev) and configure "
        "with -DMUSTER_WITH_STB=ON"};
}

} // namespace

/// Whatever there is, is tried: the error says what is missing.
bool is_image_name(std::string_view) {
    return true;
}

Result<ImageInfo> look_at_image(const std::filesystem::path&) {
    return missing();
}

Result<std::monostate>
read_image(const std::filesystem::path&, const ImageInfo&, std::span<std::byte>) {
    return missing();
}

} // namespace muster::launcher::data
