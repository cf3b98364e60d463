#include "sweep/job_file.hpp"
#include "sweep/job_tree.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace muster::launcher::sweep {
namespace {

/// YAML's scalars are text: what they mean is decided where they are used.
Tree tree_of(const YAML::Node& node) {
    if (node.IsMap()) {
        Tree tree = Tree::object();
        for (const auto& entry : node) {
            tree[entry.first.as<std::string>()] = tree_of(entry.second);
        }
        return tree;
    }
    if (node.IsSequence()) {
        Tree tree = Tree::array();
        for (const auto& entry : node) {
            tree.push_back(tree_of(entry));
        }
        return tree;
    }
    return node.IsNull() ? Tree("") : Tree(node.Scalar());
}

} // namespace

bool reads_yaml() {
    return true;
}

Tree tree_of_yaml(std::string_view text, const std::string& path) {
    try {
        return tree_of(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& error) {
        throw UsageError(fmt::format("{}, line {}: {}", path, error.mark.line + 1, error.msg));
    }
}

} // namespace muster::launcher::sweep
