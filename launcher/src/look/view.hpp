#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <vector>

/// What people see of a run's answers. [pure]
namespace muster::launcher::look {

/// What a run said of itself at one time. Of lists of the answer nothing is left out.
struct Sample {
    const nlohmann::json& hello;
    const nlohmann::json& status;
};

struct Page {
    std::size_t width = 0;  ///< Columns; 0: any.
    std::size_t height = 0; ///< Lines; 0: any.
    bool bold_headings = false;
};

/// A page: the run, its tasks by state, ranks, functions, what runs for longest, what waits for
/// room and why. What does not fit is counted.
///
/// @param before  Of the same run, a while ago, for rates; null: there are none.
[[nodiscard]] std::vector<std::string>
render(const Sample& now, const Sample* before, const Page& page);

/// One line of "name=value".
[[nodiscard]] std::string summarize(const Sample& now, const Sample* before);

/// "12,345", "1.5 GiB", "2.5 s", "3:04:05"
[[nodiscard]] std::string counted(double number);
[[nodiscard]] std::string bytes(double number);
[[nodiscard]] std::string duration(double seconds);

/// No longer than `width` columns; what goes is replaced by "…". Control characters are shown as
/// "?".
[[nodiscard]] std::string fit(const std::string& text, std::size_t width);

/// In the text format that Prometheus scrapes (exposition format 0.0.4).
[[nodiscard]] std::string prometheus(const Sample& now);

} // namespace muster::launcher::look
