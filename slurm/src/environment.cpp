#include <muster/slurm/environment.hpp>

#include <unistd.h>

namespace muster::slurm {

Environment Environment::of_process() {
    Variables variables;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        if (equals != std::string_view::npos && equals > 0) {
            // The first of two equal names is the one getenv() finds.
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return Environment(std::move(variables));
}

std::optional<std::string_view> Environment::find(std::string_view name) const {
    const auto place = variables_.find(name);
    if (place == variables_.end()) {
        return std::nullopt;
    }
    return place->second;
}

} // namespace muster::slurm
