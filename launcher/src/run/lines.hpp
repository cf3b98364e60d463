#pragma once

#include <muster/base/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::launcher::run {

/// Cuts a stream into lines. What has no end yet waits for it, but not for ever: a prompt is to be
/// seen, and a progress bar may never end its line.
class LineSplitter {
public:
    explicit LineSplitter(std::size_t line_max = 64 * 1024) : line_max_(line_max) {}

    /// Complete lines, each with its "\n"; and pieces of those that are too long.
    [[nodiscard]] std::vector<std::string> take(std::string_view bytes);

    /// What has no end; empty afterwards.
    [[nodiscard]] std::string rest() { return std::exchange(pending_, {}); }

    [[nodiscard]] bool has_rest() const { return !pending_.empty(); }

private:
    std::size_t line_max_;
    std::string pending_;
};

/// "0-3,7": ranks in a list.
[[nodiscard]] std::string format_ranks(const std::set<int>& ranks);

/// What stands before a line.
enum class Prefix { none, rank, host, time };

/// "[3] ", "[3 node1] ", "[3 2.041] " (seconds since the start).
[[nodiscard]] std::string
format_prefix(Prefix prefix, const std::string& ranks, std::string_view host, Duration elapsed);

/// Puts together lines that several ranks print alike.
///
/// A line waits until all ranks have printed it, or until `patience` has passed; then it is given
/// out with the ranks that did. Each rank's lines stay in order: one joins an equal line only if
/// that stands behind what its rank printed before. A line that equals none is put between those
/// that other ranks printed as their so-manieth, so that lines after it can still meet.
class LineMerger {
public:
    struct Merged {
        std::set<int> ranks;
        std::string text;
        bool operator==(const Merged&) const = default;
    };

    explicit LineMerger(Duration patience, std::size_t waiting_max = 1'000)
        : patience_(patience), waiting_max_(waiting_max) {}

    void set_ranks(int count) { ranks_ = count; }

    void add(TimePoint now, int rank, std::string text);

    /// What is complete, or has waited long enough; from the front on.
    [[nodiscard]] std::vector<Merged> take(TimePoint now);
    [[nodiscard]] std::vector<Merged> take_all();

    [[nodiscard]] std::optional<TimePoint> deadline() const;

private:
    struct Waiting {
        Merged line;
        TimePoint since;
        std::uint64_t place = 0; ///< Which of its first rank's lines it is.
    };

    Duration patience_;
    std::size_t waiting_max_;
    int ranks_ = 1;
    std::deque<Waiting> waiting_;
    std::map<int, std::uint64_t> printed_;
};

} // namespace muster::launcher::run
