#include "run/machine.hpp"

#include "resources/cgroup.hpp"
#include "resources/detect.hpp"
#include "resources/gpu_cpus.hpp"
#include "resources/system_files.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cmath>

namespace muster::launcher::run {
namespace {

int number_in(const resources::SystemFiles& files, const std::string& path, int otherwise) {
    const auto text = files.read(path);
    int value = otherwise;
    if (text) {
        std::from_chars(text->data(), text->data() + text->size(), value);
    }
    return value;
}

} // namespace

std::vector<Cpu> find_cpus() {
    const resources::RealFiles files;
    const auto local = resources::detect_local();
    std::vector<Cpu> cpus;
    if (!local) {
        return cpus;
    }
    for (const int id : local->cpu_ids) { // neighbours beside each other, by hwloc if it is there
        const std::string folder = fmt::format("/sys/devices/system/cpu/cpu{}/", id);
        const int socket = number_in(files, folder + "topology/physical_package_id", 0);
        // A core's number is its socket's own: the first CPU on it names it on the node.
        const auto siblings = resources::parse_cpu_list(
            files.read(folder + "topology/thread_siblings_list").value_or(""));
        const int core = siblings.empty() ? id : *std::ranges::min_element(siblings);
        int numa = 0;
        for (const std::string& name : files.list(folder)) {
            if (name.starts_with("node")) {
                std::from_chars(name.data() + 4, name.data() + name.size(), numa);
            }
        }
        cpus.push_back({id, core, socket, numa});
    }
    return cpus;
}

int count_cpus() {
    const resources::RealFiles files;
    auto count = static_cast<double>(resources::ProcessLimits::of_this_process().cpu_ids.size());
    if (const auto quota = resources::read_cgroup_limits(files).cpu_quota) {
        count = std::min(count, std::ceil(quota->value()));
    }
    return std::max(1, static_cast<int>(count));
}

std::vector<std::string> find_gpus(const slurm::Environment& environment) {
    const resources::RealFiles files;
    const auto local =
        resources::detect_local(environment, files, resources::ProcessLimits::of_this_process());
    return local ? local->gpu_ids : std::vector<std::string>{};
}

std::string host_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

std::vector<std::string> variables_of(const slurm::Environment& environment) {
    std::vector<std::string> variables;
    for (const auto& [name, value] : environment.variables()) {
        variables.push_back(name + "=" + value);
    }
    return variables;
}

std::string random_secret() {
    std::array<unsigned char, 24> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw Error("the system gives no random bytes for the run's secret");
    }
    std::string text;
    for (const unsigned char byte : bytes) {
        text += fmt::format("{:02x}", byte);
    }
    return text;
}

} // namespace muster::launcher::run
