#pragma once

#include <cstdint>
#include <string>

namespace muster::launcher::data {

/// "512 bytes", "3.2 KiB", "1.5 GiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

} // namespace muster::launcher::data
