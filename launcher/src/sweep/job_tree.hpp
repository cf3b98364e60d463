#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace muster::launcher::sweep {

using Tree = nlohmann::ordered_json;

/// Each format's text as one kind of tree. Chosen by the build: job_tree_toml.cpp or
/// job_tree_no_toml.cpp, and likewise for YAML. @throws UsageError with file and line.
[[nodiscard]] Tree tree_of_toml(std::string_view text, const std::string& path);
[[nodiscard]] Tree tree_of_yaml(std::string_view text, const std::string& path);

} // namespace muster::launcher::sweep
