#pragma once

#include "sweep/output_file.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace muster::launcher::sweep {

/// Which commands of a sweep are meant: "17", "1-100", "train:3", "train:1-10", "train" (all of the
/// group). Nothing said: all.
class Selection {
public:
    /// @param groups  Names of the sweep's groups, in order.
    /// @throws UsageError.
    Selection(std::span<const std::string> words, const std::vector<std::string>& groups);

    [[nodiscard]] bool contains(OutputId id) const;

private:
    struct Range {
        OutputId first = 0;
        OutputId last = 0;
    };

    std::vector<Range> ranges_; ///< Empty: all.
};

/// "17", or "train:17" if groups have names.
[[nodiscard]] std::string name_of(OutputId id, const std::vector<std::string>& groups);

} // namespace muster::launcher::sweep
