#include "sweep/command_sources.hpp"

namespace muster::launcher::sweep {

CommandSources split_sources(std::span<const std::string> words) {
    CommandSources result;
    for (const std::string& word : words) {
        const bool files = word == "::::" || word == "::::+";
        if (files || word == ":::" || word == ":::+") {
            result.sources.push_back({word.ends_with('+'), files, {}});
        } else if (result.sources.empty()) {
            result.command.push_back(word);
        } else {
            result.sources.back().words.push_back(word);
        }
    }
    return result;
}

} // namespace muster::launcher::sweep
