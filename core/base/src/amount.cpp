#include <muster/base/amount.hpp>

#include <fmt/format.h>

#include <array>

namespace muster {

std::string to_string(Amount amount) {
    std::string text = fmt::format("{:.4f}", amount.value());
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
        text.pop_back();
    }
    return text;
}

std::string to_string(Bytes bytes) {
    static constexpr std::array<const char*, 6> names{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto value = static_cast<double>(bytes.count);
    std::size_t scale = 0;
    while (value >= 1024.0 && scale + 1 < names.size()) {
        value /= 1024.0;
        ++scale;
    }
    return fmt::format("{:.3g} {}", value, names[scale]);
}

} // namespace muster
