#include "sweep/job_file.hpp"
#include "sweep/job_tree.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <sstream>

namespace muster::launcher::sweep {
namespace {

Tree tree_of(const toml::node& node) {
    if (const auto* table = node.as_table()) {
        Tree tree = Tree::object();
        for (const auto& [key, value] : *table) {
            tree[std::string(key.str())] = tree_of(value);
        }
        return tree;
    }
    if (const auto* array = node.as_array()) {
        Tree tree = Tree::array();
        for (const auto& value : *array) {
            tree.push_back(tree_of(value));
        }
        return tree;
    }
    if (const auto text = node.value_exact<std::string>()) {
        return *text;
    }
    if (const auto truth = node.value_exact<bool>()) {
        return *truth;
    }
    if (const auto number = node.value_exact<std::int64_t>()) {
        return *number;
    }
    // Numbers as they are written where that is the shortest form, and dates.
    std::ostringstream stream;
    if (const auto number = node.value_exact<double>()) {
        return *number;
    }
    node.visit([&](const auto& value) { stream << value; });
    return stream.str();
}

} // namespace

bool reads_toml() {
    return true;
}

Tree tree_of_toml(std::string_view text, const std::string& path) {
    try {
        return tree_of(toml::parse(text, path));
    } catch (const toml::parse_error& error) {
        throw UsageError(
            fmt::format("{}, line {}: {}", path, error.source().begin.line, error.description()));
    }
}

} // namespace muster::launcher::sweep
