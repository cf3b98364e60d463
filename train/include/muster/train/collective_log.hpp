#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace muster::train {

/// What a rank is doing while it is in no collective. The training loop says so, and a report on
/// who is late repeats it.
enum class Phase : std::uint8_t { compute, data, checkpoint };

/// "compute", …
[[nodiscard]] std::string_view to_string(Phase phase);

/// What members of a gang do together.
enum class Collective : std::uint8_t {
    barrier,
    broadcast,
    all_reduce,
    reduce_scatter,
    all_gather,
    all_to_all,
};

/// "barrier", …
[[nodiscard]] std::string_view to_string(Collective kind);

/// Who is told of the collectives of one rank. Whoever calls them reports each to it: a reducer,
/// say, that was given Worker::collective_log().
///
/// Several may be under way at once. Calls from any thread; those of begin() in the order in which
/// the collectives are started, which is the same on all ranks.
class CollectiveLog {
public:
    CollectiveLog() = default;
    virtual ~CollectiveLog() = default;
    CollectiveLog(const CollectiveLog&) = delete;
    CollectiveLog& operator=(const CollectiveLog&) = delete;

    /// @return its number on this rank, from 1 on; for end().
    virtual std::uint64_t begin(Collective kind, std::uint64_t size_bytes) = 0;
    virtual void end(std::uint64_t number) noexcept = 0;
};

/// Reports a collective from its construction to its end, also if that is by an exception.
class LoggedCollective {
public:
    LoggedCollective(CollectiveLog& log, Collective kind, std::uint64_t size_bytes)
        : log_(log), number_(log.begin(kind, size_bytes)) {}

    ~LoggedCollective() { log_.end(number_); }

    LoggedCollective(const LoggedCollective&) = delete;
    LoggedCollective& operator=(const LoggedCollective&) = delete;

private:
    CollectiveLog& log_;
    std::uint64_t number_;
};

/// One collective, as a ring remembers it. Times are this rank's, since the ring was made.
struct CollectiveRecord {
    std::uint64_t number = 0; ///< From 1 on.
    Collective kind = Collective::barrier;
    Phase phase = Phase::compute; ///< In which it was begun.
    std::uint64_t size_bytes = 0;
    std::chrono::nanoseconds begun{0};
    std::optional<std::chrono::nanoseconds> ended{};

    bool operator==(const CollectiveRecord&) const = default;
};

/// Where a rank is, told in durations, so that clocks of different nodes need not agree.
struct Standing {
    std::uint64_t begun = 0; ///< Collectives begun so far.
    Phase phase = Phase::compute;
    std::chrono::nanoseconds in_phase{0};       ///< Since it was set, or the last collective.
    std::optional<CollectiveRecord> waits_in{}; ///< The oldest that has not ended.
    std::chrono::nanoseconds waiting{0};        ///< Since that one was begun.

    bool operator==(const Standing&) const = default;
};

/// The last collectives of a rank. Any thread; a lock for some nanoseconds a call.
class CollectiveRing final : public CollectiveLog {
public:
    static constexpr std::size_t capacity = 4096;

    CollectiveRing();

    std::uint64_t begin(Collective kind, std::uint64_t size_bytes) override;
    void end(std::uint64_t number) noexcept override;

    void phase(Phase phase);

    [[nodiscard]] Standing standing() const;

    /// The last so many that were begun, oldest first; at most `capacity`.
    [[nodiscard]] std::vector<CollectiveRecord> last(std::size_t count) const;

private:
    [[nodiscard]] std::chrono::nanoseconds now() const;

    const std::chrono::steady_clock::time_point start_;
    mutable std::mutex mutex_; ///< Guards what follows.
    std::vector<CollectiveRecord> records_;
    std::uint64_t begun_ = 0;
    std::uint64_t oldest_open_ = 1; ///< All before have ended, or are forgotten.
    Phase phase_ = Phase::compute;
    std::chrono::nanoseconds phase_since_{0};
};

} // namespace muster::train
