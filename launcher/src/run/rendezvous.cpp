#include "run/rendezvous.hpp"

#include <muster/base/parse.hpp>
#include <muster/slurm/hostlist.hpp>
#include <muster/slurm/launch.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <sstream>

namespace muster::launcher::run {
namespace {

/// Below what the system gives out by itself (32768 and up), above what services use.
constexpr std::uint64_t port_first = 15'000;
constexpr std::uint64_t ports = 17'000;

/// FNV-1a, 64 bits.
std::uint64_t digest(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325;
    for (const char letter : text) {
        value = (value ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
    }
    return value;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

/// "nodes=2 ranks=4 index=1 host=a at=10.0.0.1:99,n1:99"
std::optional<Rendezvous> read_invitation(const slurm::Environment& environment) {
    const auto text = environment.find(invitation_variable);
    if (!text) {
        return std::nullopt;
    }
    Rendezvous rendezvous;
    rendezvous.invited = true;
    rendezvous.secret = environment.get_or_empty(secret_variable);
    rendezvous.index = environment.number<int>("SLURM_PROCID").value_or(0);
    std::istringstream words{std::string(*text)};
    for (std::string word; words >> word;) {
        const auto equals = word.find('=');
        if (equals == std::string::npos) {
            return std::nullopt;
        }
        const std::string name = word.substr(0, equals);
        const std::string value = word.substr(equals + 1);
        const auto number = parse_whole<int>(value);
        if (name == "at") {
            rendezvous.endpoints = split(value, ',');
        } else if (name == "nodes" && number) {
            rendezvous.count = *number;
        } else if (name == "ranks" && number) {
            rendezvous.ranks = *number;
        } else if (name == "index" && number) {
            rendezvous.index = *number;
            rendezvous.host = fmt::format("local-{}", *number);
        } else {
            return std::nullopt;
        }
    }
    if (rendezvous.endpoints.empty() || rendezvous.count < 1 || rendezvous.index < 0) {
        return std::nullopt;
    }
    return rendezvous;
}

void meet_at(const std::string& name, std::vector<std::string> hosts, Rendezvous& rendezvous) {
    rendezvous.port = static_cast<int>(port_first + digest(name) % ports);
    rendezvous.secret = fmt::format("{:016x}", digest("secret of " + name));
    for (const std::string& host : hosts) {
        rendezvous.endpoints.push_back(fmt::format("{}:{}", host, rendezvous.port));
    }
}

/// "3087007744.0;tcp://10.213.0.1,192.168.0.1:38211": where mpirun itself listens.
std::vector<std::string> hosts_of_mpirun(std::string_view uri) {
    const auto begin = uri.find("tcp://");
    if (begin == std::string_view::npos) {
        return {};
    }
    uri.remove_prefix(begin + 6);
    uri = uri.substr(0, uri.find_first_of(":;"));
    return split(std::string(uri), ',');
}

} // namespace

std::string invitation(int nodes,
                       int ranks,
                       const std::vector<std::string>& endpoints,
                       std::optional<int> index) {
    return fmt::format("nodes={} ranks={}{} at={}",
                       nodes,
                       ranks,
                       index ? fmt::format(" index={}", *index) : "",
                       fmt::join(endpoints, ","));
}

std::optional<Rendezvous> find_rendezvous(const slurm::Environment& environment) {
    if (auto invited = read_invitation(environment)) {
        return invited;
    }
    const auto launch = slurm::detect_launch(environment);
    if (!launch || !launch->rank || launch->world_size.value_or(1) < 2) {
        return std::nullopt;
    }
    Rendezvous rendezvous;
    rendezvous.index = *launch->rank;
    rendezvous.count = *launch->world_size;
    if (launch->launcher == slurm::Launcher::srun) {
        const auto nodes = slurm::expand_hostlist(environment.get_or_empty("SLURM_STEP_NODELIST"));
        if (!nodes || nodes->empty()) {
            return std::nullopt;
        }
        meet_at(fmt::format("slurm {} {} {}",
                            environment.get_or_empty("SLURM_CLUSTER_NAME"),
                            environment.get_or_empty("SLURM_JOB_ID"),
                            environment.get_or_empty("SLURM_STEP_ID")),
                {nodes->front()},
                rendezvous);
        return rendezvous;
    }
    if (launch->launcher == slurm::Launcher::open_mpi) {
        auto hosts = hosts_of_mpirun(environment.get_or_empty("OMPI_MCA_orte_hnp_uri"));
        if (launch->local_size == launch->world_size) {
            hosts = {"127.0.0.1"};
        }
        if (!hosts.empty()) {
            meet_at(fmt::format("open mpi {}", environment.get_or_empty("PMIX_NAMESPACE")) +
                        std::string(environment.get_or_empty("OMPI_MCA_orte_hnp_uri")),
                    std::move(hosts),
                    rendezvous);
            return rendezvous;
        }
    }
    return std::nullopt;
}

} // namespace muster::launcher::run
