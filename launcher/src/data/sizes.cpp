#include "data/sizes.hpp"

#include <fmt/format.h>

namespace muster::launcher::data {

std::string size_text(std::uint64_t bytes) {
    if (bytes < 1024) {
        return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
    }
    double size = static_cast<double>(bytes) / 1024;
    const char* unit = "KiB";
    for (const char* const next : {"MiB", "GiB", "TiB", "PiB"}) {
        if (size < 1024) {
            break;
        }
        size /= 1024;
        unit = next;
    }
    return fmt::format("{:.1f} {}", size, unit);
}

} // namespace muster::launcher::data
