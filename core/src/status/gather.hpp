#pragma once

#include "wire/actions.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace muster::status {

/// Collects what every rank says of itself: on the driver's rank for a page, on any for a report
/// that one of its threads wants.
///
///     any rank    -> driver's rank  StatusAsked   (or the driver's rank was asked itself)
///     who gathers -> all            StatusWanted
///     all         -> who gathers    Status
///
/// A rank that has not answered within a second is left out: it is silent, which is worth knowing,
/// too. A signal that a launcher forwards to every rank is asked for by all of them, so that what
/// comes within a second after the first is about the same page. A report is gathered after it was
/// asked for.
///
/// Pure: no MPI, threads, clock or randomness. Time comes by advance(), before other facts.
class Gather {
public:
    struct Config {
        std::int32_t world_size = 1;
    };

    static constexpr Duration patience = std::chrono::seconds{1};

    explicit Gather(const Config& config) : config_(config) {}

    /// For a page: PrintStatus.
    void ask(wire::Actions& actions);
    /// For a report: AnswerStatus. A `brief` one may be; it may also be had in full.
    void ask(std::uint64_t request, bool brief, wire::Actions& actions);
    /// @param coordinator, term  For the page.
    void
    on_status(Rank from, wire::Status status, Rank coordinator, Term term, wire::Actions& actions);

    void advance(TimePoint now, Rank coordinator, Term term, wire::Actions& actions);
    [[nodiscard]] std::optional<TimePoint> next_timer() const;

private:
    void begin(bool brief, wire::Actions& actions);
    void finish(Rank coordinator, Term term, wire::Actions& actions);

    Config config_;
    TimePoint now_{};
    std::uint64_t request_ = 0;
    std::optional<TimePoint> asked_at_; ///< For the last page.
    std::optional<TimePoint> began_at_; ///< Of what is gathered now.
    bool page_ = false;                 ///< It is for a page.
    bool brief_ = false;
    std::vector<std::uint64_t> requests_;         ///< For which it is.
    std::vector<std::uint64_t> requests_waiting_; ///< That came since.
    bool waiting_are_brief_ = true;
    std::int32_t answers_ = 0;
    std::vector<std::optional<wire::Status>> ranks_;
};

} // namespace muster::status
