#pragma once

#include "sweep/rows.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::sweep {

/// Words of a command line, taken apart at ":::", "::::", ":::+" and "::::+".
struct CommandSources {
    std::vector<std::string> command; ///< Before the first of them.

    struct Given {
        bool linked = false; ///< To the one before it.
        bool files = false;  ///< The words are files of lines.
        std::vector<std::string> words;
    };

    std::vector<Given> sources;
};

[[nodiscard]] CommandSources split_sources(std::span<const std::string> words);

} // namespace muster::launcher::sweep
