#include "subcommands.hpp"

#include <vector>

namespace muster::launcher {

std::span<const Subcommand* const> subcommands() {
    static const std::vector<const Subcommand*> all{};
    return all;
}

} // namespace muster::launcher
