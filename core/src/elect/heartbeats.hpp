#pragma once

#include "wire/actions.hpp"

#include <optional>
#include <vector>

namespace muster::elect {

/// Which ranks are silent. Every rank is heard by the driver's rank, and hears it: a star, since
/// the driver's rank decides who belongs to the run.
///
/// Time counts only while this rank itself runs: of a gap between two calls of on_time() no more
/// than one interval. So who was stopped, or starved, or slept with its whole machine, does not
/// take everybody else for dead when it wakes; it first listens for as long as anybody else.
/// What counts as a sign of life is any message; only who says nothing else sends Heartbeat.
///
/// Pure: no MPI, threads, clock or randomness.
class Heartbeats {
public:
    struct Config {
        Rank self{};
        std::int32_t world_size = 1;
        Rank driver{};
        bool enabled = true;
        Duration timeout = std::chrono::seconds{4}; ///< Silent for longer: lost.
        /// How long a rank waits for a sign of the driver's rank before it ends itself. Longer,
        /// since all is lost with it.
        Duration driver_timeout = std::chrono::seconds{15};

        [[nodiscard]] Duration interval() const { return timeout / 4; }
    };

    explicit Heartbeats(const Config& config);

    /// A message of the rank has come.
    void heard(Rank from);
    /// A message to the rank has left.
    void sent(Rank to);

    /// Sends what is due. @return ranks that have been silent for too long, each once.
    std::vector<Rank> on_time(TimePoint now, wire::Actions& actions);

    /// It is neither watched nor spoken to any more.
    void forget(Rank rank);

    /// When on_time() has something to do again.
    [[nodiscard]] std::optional<TimePoint> next_timer() const;

private:
    struct Peer {
        Rank rank{};
        bool watched = true;
        Duration heard{}; ///< In time that this rank ran.
        Duration sent{};
    };

    [[nodiscard]] Peer* find(Rank rank);

    Config config_;
    std::vector<Peer> peers_; ///< By rank at the driver's; else the driver's alone.
    std::optional<TimePoint> last_;
    Duration ran_{}; ///< Since the first call.
    Duration looked_{};
};

} // namespace muster::elect
