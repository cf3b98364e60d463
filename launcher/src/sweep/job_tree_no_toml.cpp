#include "sweep/job_file.hpp"
#include "sweep/job_tree.hpp"

#include <muster/base/error.hpp>

namespace muster::launcher::sweep {

bool reads_toml() {
    return false;
}

Tree tree_of_toml(std::string_view /*text*/, const std::string& path) {
    throw UsageError(path +
                     ": this muster was built without toml++ (libtomlplusplus-dev), and reads "
                     "no TOML; JSON it always reads");
}

} // namespace muster::launcher::sweep
