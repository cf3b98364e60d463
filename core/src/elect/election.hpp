#pragma once

#include "wire/actions.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace muster::elect {

/// Which rank coordinates, and since which term.
///
/// The driver's rank grants terms: its loss ends the run anyway, so there is never more than one
/// coordinator, however few ranks are left. A round goes:
///
///   a. Every rank sends its Bid to the driver's rank.
///   b. With all bids in, the driver's rank picks the best and sends CoordinatorElected, with the
///      next term, to every rank.
///   c. Every rank adopts the term and registers with the coordinator (Register, by the rank's
///      other machines). Messages of an older term are ignored from then on.
///
/// Whenever a rank is lost, whichever it was, the driver's rank grants another term by the bids it
/// has: so all that was under way between ranks is settled in one way, and in one place.
///
/// The best bid: a rank the user preferred; then the rank with the most CPUs; among equals the
/// driver's own, so that one process less is critical and a submission costs no hop; then the
/// lowest rank.
///
/// Pure: no MPI, threads, clock or randomness.
class Election {
public:
    struct Config {
        Rank self{};
        std::int32_t world_size = 1;
        Rank driver{};
    };

    explicit Election(const Config& config) : config_(config) {}

    /// Sends this rank's bid.
    void start(const wire::Bid& bid, wire::Actions& actions);

    /// A bid reached the driver's rank. A second bid of a rank replaces its first.
    void on_bid(const wire::Bid& bid, wire::Actions& actions);

    /// Ranks are lost; only on the driver's rank. All that are left hear of a new term, with the
    /// best of them for a coordinator.
    void on_lost(const std::vector<Rank>& ranks, wire::Actions& actions);

    /// Adopts the announced term. @return false if it is not newer than the present one.
    bool on_elected(const wire::CoordinatorElected& elected);

    [[nodiscard]] Term term() const { return term_; }

    [[nodiscard]] Rank coordinator() const { return coordinator_; }

    [[nodiscard]] bool decided() const { return term_ != Term{}; }

    /// Ranks whose bid the driver's rank still lacks, the first `limit` of them: for a report of
    /// what a start hangs on.
    [[nodiscard]] std::vector<Rank> missing_bids(std::size_t limit) const;

private:
    void elect(std::string occasion, wire::Actions& actions);

    Config config_;
    std::map<Rank, wire::Bid> bids_;
    std::set<Rank> lost_;
    Term granted_{}; ///< The last term this rank granted; only on the driver's rank.
    Term term_{};
    Rank coordinator_{};
};

} // namespace muster::elect
