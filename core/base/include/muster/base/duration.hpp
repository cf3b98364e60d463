#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/result.hpp>

#include <string>
#include <string_view>

namespace muster {

/// Reads how long something takes: "90s", "1.5h", "10min", "2d", "500ms", or as Slurm writes it,
/// "30:00" (minutes and seconds), "12:00:00", "1-12:00:00" (days before the hours).
///
/// A number without a unit is refused: it would be minutes to Slurm, and seconds to most others.
/// @return a Failure (usage) with what it may be; also for less than nothing, and for more than
///         a hundred years.
Result<Duration> parse_duration(std::string_view text);

/// "0.8 s", "45 s", "12 min", "1 h 30 min", "2 d 5 h": for sentences, the largest units only.
std::string format_duration(Duration duration);

} // namespace muster
