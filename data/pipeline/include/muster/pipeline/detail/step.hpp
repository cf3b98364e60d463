#pragma once

#include <muster/base/amount.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::data {

/// A function that is applied to each block, as it travels: by the number that every rank gave it
/// at start. Private to the library.
struct Step {
    std::uint32_t function = 0;
    std::string name;      ///< "map_batches(scale)"
    std::string arguments; ///< Encoded.
    Amount cpus = 1;
    Amount gpus = 0;
    /// Of a selection of columns: which. Nothing behind it sees others.
    std::vector<std::string> selects{};
    /// Of the library's own: also applied to blocks without rows, whose columns it knows.
    bool takes_empty = false;
};

} // namespace muster::data
