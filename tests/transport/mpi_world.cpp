#include "transport/mpi_world.hpp"

#include <cstdio>

namespace muster::transport::contract {

std::vector<std::string> run_on_ranks(MpiTransport& transport, const std::vector<Body>& bodies) {
    std::vector<std::string> failures;
    Party::EarlyPackets early;
    for (const Body& body : bodies) {
        const auto part = body.make();
        drive(transport, *part, early);
        for (const std::string& failure : part->failures()) {
            failures.push_back(fmt::format("{}: {}", body.name, failure));
        }
    }
    if (!early.empty()) {
        failures.push_back(fmt::format("{} packets that nobody sent", early.size()));
    }
    return failures;
}

int report(const MpiTransport& transport, const std::vector<std::string>& failures) {
    for (const std::string& failure : failures) {
        const std::string line =
            fmt::format("rank {}: {}\n", index(transport.world().rank), failure);
        std::fputs(line.c_str(), stderr);
    }
    return failures.empty() ? 0 : 1;
}

} // namespace muster::transport::contract
