#include "elect/election.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

namespace muster::elect {
namespace {

std::string reason_for(const wire::Bid& best, Rank driver, std::size_t bids) {
    const char* const why = best.preferred        ? "preferred by MUSTER_COORDINATOR"
                            : best.rank == driver ? "no rank has more CPUs, and it hosts the driver"
                                                  : "it has the most CPUs";
    return fmt::format(
        "{} ({}), best of {} bid{}",
        why,
        to_string(Resources{.cpus = best.cpus, .gpus = {}, .memory = {}, .custom = {}}),
        bids,
        bids == 1 ? "" : "s");
}

} // namespace

void Election::start(const wire::Bid& bid, wire::Actions& actions) {
    actions.push_back(wire::SendMessage{config_.driver, bid});
}

void Election::on_bid(const wire::Bid& bid, wire::Actions& actions) {
    MUSTER_ASSERT(config_.self == config_.driver);
    if (lost_.contains(bid.rank)) {
        return;
    }
    bids_[bid.rank] = bid;
    if (granted_ == Term{} && missing_bids(1).empty()) {
        elect({}, actions);
    }
}

void Election::on_lost(const std::vector<Rank>& ranks, wire::Actions& actions) {
    MUSTER_ASSERT(config_.self == config_.driver);
    for (const Rank rank : ranks) {
        lost_.insert(rank);
        bids_.erase(rank);
    }
    if (missing_bids(1).empty()) {
        elect(fmt::format("after the loss of {}{}",
                          to_string(ranks.front()),
                          ranks.size() > 1 ? fmt::format(" and {} more", ranks.size() - 1) : ""),
              actions);
    }
}

void Election::elect(std::string occasion, wire::Actions& actions) {
    const auto better = [&](const wire::Bid& a, const wire::Bid& b) {
        if (a.preferred != b.preferred) {
            return a.preferred;
        }
        if (a.cpus != b.cpus) {
            return a.cpus > b.cpus;
        }
        if ((a.rank == config_.driver) != (b.rank == config_.driver)) {
            return a.rank == config_.driver;
        }
        return a.rank < b.rank;
    };
    const wire::Bid* best = nullptr;
    for (const auto& [rank, candidate] : bids_) {
        if (best == nullptr || better(candidate, *best)) {
            best = &candidate;
        }
    }
    granted_ = Term{number(granted_) + 1};
    std::string reason = reason_for(*best, config_.driver, bids_.size());
    if (!occasion.empty()) {
        reason = occasion + ": " + reason;
    }
    const wire::CoordinatorElected elected{
        granted_, best->rank, std::move(reason), {lost_.begin(), lost_.end()}};
    for (const auto& [rank, bid] : bids_) {
        actions.push_back(wire::SendMessage{rank, elected});
    }
}

bool Election::on_elected(const wire::CoordinatorElected& elected) {
    if (elected.term <= term_) {
        return false;
    }
    term_ = elected.term;
    coordinator_ = elected.coordinator;
    return true;
}

std::vector<Rank> Election::missing_bids(std::size_t limit) const {
    std::vector<Rank> missing;
    for (std::int32_t rank = 0; rank < config_.world_size && missing.size() < limit; ++rank) {
        if (!bids_.contains(Rank{rank}) && !lost_.contains(Rank{rank})) {
            missing.push_back(Rank{rank});
        }
    }
    return missing;
}

} // namespace muster::elect
