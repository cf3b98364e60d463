#pragma once

#include <cstdint>
#include <string>

namespace muster::launcher {

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped_digits(std::uint64_t number);

} // namespace muster::launcher
