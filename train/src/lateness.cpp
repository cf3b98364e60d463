#include <muster/train/lateness.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::train {
namespace {

std::string seconds(std::chrono::nanoseconds time) {
    const double value = std::chrono::duration<double>(time).count();
    return value < 10 ? fmt::format("{:.1f} s", value) : fmt::format("{:.0f} s", value);
}

std::string bytes(std::uint64_t count) {
    if (count < 1024) {
        return fmt::format("{} B", count);
    }
    double value = static_cast<double>(count) / 1024;
    const char* unit = "KiB";
    for (const char* larger : {"MiB", "GiB"}) {
        if (value < 1024) {
            break;
        }
        value /= 1024;
        unit = larger;
    }
    return fmt::format("{:.1f} {}", value, unit);
}

std::string name(const RankStanding& rank) {
    return fmt::format("rank {} (node {})", rank.rank, rank.node);
}

std::string collective(const CollectiveRecord& record) {
    return fmt::format(
        "{} {} ({})", to_string(record.kind), record.number, bytes(record.size_bytes));
}

/// Where a rank is: "in data for 41 s".
std::string place(const RankStanding& rank) {
    if (rank.is_dead) {
        return fmt::format("dead, last heard of {} ago in {}",
                           seconds(rank.heard),
                           to_string(rank.standing.phase));
    }
    if (rank.standing.waits_in) { // of others in flight before the one that is missing
        return fmt::format("in {} for {}",
                           collective(*rank.standing.waits_in),
                           seconds(rank.standing.waiting + rank.heard));
    }
    return fmt::format("in {} for {}",
                       to_string(rank.standing.phase),
                       seconds(rank.standing.in_phase + rank.heard));
}

} // namespace

std::optional<Lateness> who_is_late(std::span<const RankStanding> ranks,
                                    std::chrono::nanoseconds late_after) {
    const RankStanding* waits = nullptr; // the longest, of equal ones the lowest
    for (const RankStanding& rank : ranks) {
        if (rank.is_dead || !rank.standing.waits_in || rank.standing.waiting < late_after) {
            continue;
        }
        if (waits == nullptr || rank.standing.waiting > waits->standing.waiting ||
            (rank.standing.waiting == waits->standing.waiting && rank.rank < waits->rank)) {
            waits = &rank;
        }
    }
    if (waits == nullptr) {
        return std::nullopt;
    }
    // Who waits longest may itself be in front or behind: what is missing is what the one in front
    // has begun of those that wait.
    const std::uint64_t number = waits->standing.waits_in->number;
    const RankStanding* late = nullptr;
    std::uint64_t others = 0;
    for (const RankStanding& rank : ranks) {
        // A dead one may have begun it, and not have done its part.
        const bool is_missing =
            rank.standing.begun < number || (rank.is_dead && rank.standing.begun == number);
        if (!is_missing) {
            continue;
        }
        others += 1;
        const bool is_further =
            late == nullptr || rank.standing.begun < late->standing.begun ||
            (rank.standing.begun == late->standing.begun && rank.rank < late->rank);
        if (is_further) {
            late = &rank;
        }
    }
    const std::string waiting = fmt::format("{} has waited {} in {}",
                                            name(*waits),
                                            seconds(waits->standing.waiting + waits->heard),
                                            collective(*waits->standing.waits_in));
    if (late == nullptr) {
        return Lateness{std::nullopt,
                        0,
                        waits->rank,
                        fmt::format("{}, and all ranks have begun it: nobody is late, so look at "
                                    "the network, or at calls that do not match",
                                    waiting)};
    }
    std::uint64_t front = number;
    for (const RankStanding& rank : ranks) {
        front = std::max(front, rank.standing.begun);
    }
    const std::uint64_t behind = front - late->standing.begun;
    return Lateness{late->rank,
                    behind,
                    waits->rank,
                    fmt::format("{} is late: {} collective{} behind, {}{}; {}",
                                name(*late),
                                behind,
                                behind == 1 ? "" : "s",
                                place(*late),
                                others > 1 ? fmt::format(" ({} more {} late, too)",
                                                         others - 1,
                                                         others == 2 ? "is" : "are")
                                           : std::string(),
                                waiting)};
}

} // namespace muster::train
