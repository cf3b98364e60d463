#pragma once

#include "rank/rank_machine.hpp"
#include "transport/transport.hpp"

#include <muster/core/communicator.hpp>

#include <functional>
#include <memory>
#include <stop_token>

namespace muster::runtime {

/// A member of a gang while its function runs on this rank: its communicator, joined to the
/// progress thread for as long as this lives.
class GangMember {
public:
    /// `report` takes events to the progress thread; called from any thread.
    GangMember(transport::Transport& transport,
               const wire::Gang& gang,
               int member,
               std::stop_token stop_token,
               std::function<void(rank::Event)> report);
    GangMember(const GangMember&) = delete;
    GangMember& operator=(const GangMember&) = delete;
    ~GangMember();

    [[nodiscard]] Communicator& communicator() { return *communicator_; }

private:
    LeaseId gang_;
    int member_;
    std::function<void(rank::Event)> report_;
    std::unique_ptr<Communicator> communicator_;
};

// What the progress thread does with what it was handed by a member.

/// Copies a message to where its receiver wants it.
void place_message(const wire::PlaceMessage& action);
void settle_message(const wire::SettleMessage& action);
void abort_member(const wire::AbortMember& action);

} // namespace muster::runtime
