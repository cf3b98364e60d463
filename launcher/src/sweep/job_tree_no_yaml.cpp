#include "sweep/job_file.hpp"
#include "sweep/job_tree.hpp"

#include <muster/base/error.hpp>

namespace muster::launcher::sweep {

bool reads_yaml() {
    return false;
}

Tree tree_of_yaml(std::string_view /*text*/, const std::string& path) {
    throw UsageError(path +
                     ": this muster was built without yaml-cpp (libyaml-cpp-dev), and reads no "
                     "YAML; JSON it always reads");
}

} // namespace muster::launcher::sweep
