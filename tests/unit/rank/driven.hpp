#pragma once

#include "actions.hpp"
#include "rank/rank_machine.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace muster::rank {

inline RankMachine::Config config(Rank self, std::int32_t world_size) {
    RankMachine::Config config;
    config.self = self;
    config.world_size = world_size;
    config.host = "host";
    config.capacity.cpus = 1;
    return config;
}

/// Events, then one flush.
class Driven {
public:
    Driven(Rank self, std::int32_t world_size) : Driven(config(self, world_size)) {}

    explicit Driven(const RankMachine::Config& config) : machine_(config) {}

    wire::Actions on(std::vector<Event> events) {
        wire::Actions actions;
        for (auto& event : events) {
            machine_.on_event(std::move(event), actions);
        }
        machine_.flush(actions);
        machine_.check_invariants();
        return actions;
    }

    wire::Actions hear(Rank from, wire::Message message, Term term = Term{1}) {
        return on({MessageReceived{from, {term, std::move(message)}}});
    }

    RankMachine* operator->() { return &machine_; }

private:
    RankMachine machine_;
};

} // namespace muster::rank
