#include "transport/contract.hpp"
#include "transport/mpi.hpp"
#include "transport/mpi_world.hpp"

namespace muster::transport::contract {
namespace {

// The world is whole, and bytes of unequal lengths (rank many) reach every rank.
std::vector<std::string> check_start(MpiTransport& transport) {
    std::vector<std::string> failures;
    const World& world = transport.world();
    const auto size = static_cast<std::size_t>(world.size);
    if (world.node_of != std::vector<NodeId>(size, NodeId{0})) {
        failures.emplace_back("ranks of one machine are not on one node");
    }
    if (world.host_of.size() != size || world.host_of[0].empty()) {
        failures.emplace_back("hosts have no names");
    }
    const std::vector<std::byte> own(static_cast<std::size_t>(index(world.rank)), std::byte{7});
    const auto all = transport.all_gather(own);
    for (std::size_t rank = 0; rank < size; ++rank) {
        if (all.at(rank) != std::vector<std::byte>(rank, std::byte{7})) {
            failures.push_back(fmt::format("all_gather lost what rank {} gave", rank));
        }
    }
    return failures;
}

int run(int argc, char** argv) {
    const auto transport = start_mpi({.argc = &argc, .argv = &argv});
    std::vector<std::string> failures = check_start(*transport);
    const auto add = [&](const std::vector<std::string>& more) {
        failures.insert(failures.end(), more.begin(), more.end());
    };
    add(run_on_ranks(*transport, bodies()));
    add(wake_from_another_thread(*transport));
    const int code = report(*transport, failures);
    transport->close(true);
    return code;
}

} // namespace
} // namespace muster::transport::contract

int main(int argc, char** argv) {
    return muster::transport::contract::run(argc, argv);
}
