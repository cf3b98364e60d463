#pragma once

#include <string>

namespace muster::launcher {

/// "0.1.0".
[[nodiscard]] std::string version();

/// What `muster --version` prints: this, and what was compiled in, one per line.
[[nodiscard]] std::string version_page();

} // namespace muster::launcher
