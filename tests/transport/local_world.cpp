#include "transport/local_world.hpp"

#include "transport/local.hpp"

#include <thread>
#include <vector>

namespace muster::transport::contract {

std::string run_on_threads(const Body& body, std::int32_t size) {
    const auto endpoints = make_local_world(size);
    std::vector<std::unique_ptr<Scenario>> parts;
    std::vector<std::jthread> threads;
    for (const auto& endpoint : endpoints) {
        Scenario& part = *parts.emplace_back(body.make());
        threads.emplace_back([&endpoint, &part] {
            Party::EarlyPackets early;
            drive(*endpoint, part, early);
            if (part.lost() != endpoint->world().rank) {
                endpoint->close(true);
            } // else what is sent to it piles up, as at a dead rank
        });
    }
    threads.clear(); // joins

    std::string failures;
    for (std::size_t rank = 0; rank < parts.size(); ++rank) {
        for (const std::string& failure : parts[rank]->failures()) {
            failures += fmt::format("rank {}: {}\n", rank, failure);
        }
    }
    return failures;
}

} // namespace muster::transport::contract
