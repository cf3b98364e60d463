#include "sweep/halt.hpp"

#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

namespace muster::launcher::sweep {

HaltRule parse_halt_rule(std::string_view text) {
    const auto wrong = [&] {
        return UsageError(fmt::format("--halt {}: write never, or soon or now, a comma, and one of "
                                      "fail=N, success=N, done=N, fail=N%: 'now,fail=1'",
                                      text));
    };
    HaltRule rule;
    if (text == "never") {
        return rule;
    }
    const auto comma = text.find(',');
    const auto equals = text.find('=');
    if (comma == std::string_view::npos || equals == std::string_view::npos || equals < comma) {
        throw wrong();
    }
    const auto when = text.substr(0, comma);
    const auto what = text.substr(comma + 1, equals - comma - 1);
    auto number = text.substr(equals + 1);
    if (when == "soon") {
        rule.when = HaltRule::When::soon;
    } else if (when == "now") {
        rule.when = HaltRule::When::now;
    } else {
        throw wrong();
    }
    if (what == "success") {
        rule.what = HaltRule::What::success;
    } else if (what == "done") {
        rule.what = HaltRule::What::done;
    } else if (what != "fail") {
        throw wrong();
    }
    const bool is_percent = number.ends_with('%') && rule.what != HaltRule::What::done;
    if (is_percent) {
        number.remove_suffix(1);
    }
    const auto value = parse_whole<std::uint64_t>(number);
    if (!value || *value == 0 || (is_percent && *value > 100)) {
        throw wrong();
    }
    rule.percent = is_percent ? static_cast<double>(*value) : 0;
    rule.count = is_percent ? 0 : *value;
    return rule;
}

void Tally::add(bool succeeded) {
    ++(succeeded ? succeeded_ : failed_);
    if (rule_.when == HaltRule::When::never || stops_ != HaltRule::When::never) {
        return;
    }
    const std::uint64_t counted = rule_.what == HaltRule::What::fail      ? failed_
                                  : rule_.what == HaltRule::What::success ? succeeded_
                                                                          : done();
    constexpr std::uint64_t least = 3;
    const bool reached = rule_.count > 0
                             ? counted >= rule_.count
                             : counted >= least && static_cast<double>(counted) * 100 >=
                                                       rule_.percent * static_cast<double>(done());
    if (reached) {
        stops_ = rule_.when;
    }
}

} // namespace muster::launcher::sweep
