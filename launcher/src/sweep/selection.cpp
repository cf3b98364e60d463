#include "sweep/selection.hpp"

#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace muster::launcher::sweep {
namespace {

constexpr std::uint64_t number_max = (std::uint64_t{1} << group_shift) - 1;

std::optional<std::uint64_t> number_in(std::string_view text) {
    const auto value = parse_whole<std::uint64_t>(text);
    return value && *value > 0 && *value <= number_max ? value : std::nullopt;
}

} // namespace

Selection::Selection(std::span<const std::string> words, const std::vector<std::string>& groups) {
    for (const std::string& word : words) {
        const auto wrong = [&] {
            return UsageError(fmt::format("'{}' names no commands: write 17, 1-100{}", word, [&] {
                return groups.size() > 1 || (!groups.empty() && !groups.front().empty())
                           ? fmt::format(", {0} or {0}:17", groups.front())
                           : std::string();
            }()));
        };
        const auto colon = word.rfind(':');
        std::uint64_t group = 0;
        std::string_view numbers = word;
        const auto find = [&](std::string_view name) {
            return static_cast<std::uint64_t>(std::find(groups.begin(), groups.end(), name) -
                                              groups.begin());
        };
        if (colon != std::string::npos) {
            group = find(std::string_view(word).substr(0, colon));
            numbers.remove_prefix(colon + 1);
            if (group == groups.size()) {
                throw wrong();
            }
        } else if (const auto whole = find(word); whole < groups.size() && !word.empty()) {
            ranges_.push_back({output_id(whole, 0), output_id(whole, number_max)});
            continue;
        }
        const auto dash = numbers.find('-');
        const auto first = number_in(numbers.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : number_in(numbers.substr(dash + 1));
        if (!first || !last || *first > *last) {
            throw wrong();
        }
        ranges_.push_back({output_id(group, *first), output_id(group, *last)});
    }
}

bool Selection::contains(OutputId id) const {
    return ranges_.empty() || std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
               return range.first <= id && id <= range.last;
           });
}

std::string name_of(OutputId id, const std::vector<std::string>& groups) {
    const std::uint64_t group = id >> group_shift;
    const std::uint64_t number = id & number_max;
    if (group < groups.size() && !groups[group].empty()) {
        return fmt::format("{}:{}", groups[group], number);
    }
    return std::to_string(number);
}

} // namespace muster::launcher::sweep
