#include <muster/slurm/hostlist.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace muster::slurm {
namespace {

/// Enough for any host, and far from overflow when one is added.
constexpr std::size_t digits_max = 18;

Failure malformed(std::string_view list, std::size_t column, std::string_view what) {
    return {ErrorCode::malformed,
            fmt::format("hostlist '{}', character {}: {}", list.substr(0, 200), column + 1, what)};
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::uint64_t value_of(std::string_view digits) {
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

std::string padded(std::uint64_t number, std::size_t width) {
    return fmt::format("{:0{}}", number, width);
}

/// Reads one list from front to back; every function leaves `at_` behind what it read.
class Expansion {
public:
    Expansion(std::string_view list, std::size_t names_max) : list_(list), names_max_(names_max) {}

    Result<std::vector<std::string>> run() {
        std::vector<std::string> names;
        while (at_ < list_.size()) {
            auto more = expand_entry(names_max_ - names.size());
            if (!more) {
                return more.error();
            }
            names.insert(names.end(), more->begin(), more->end());
            if (at_ < list_.size()) {
                ++at_; // the comma at which an entry ends
                if (at_ == list_.size()) {
                    return malformed(list_, at_, "a name is missing after the comma");
                }
            }
        }
        return names;
    }

private:
    /// Text and brackets up to the next comma outside brackets.
    Result<std::vector<std::string>> expand_entry(std::size_t names_max) {
        const std::size_t start = at_;
        std::vector<std::string> names{""};
        while (at_ < list_.size() && list_[at_] != ',') {
            const char c = list_[at_];
            if (c == '[') {
                auto numbers = expand_bracket(names_max / std::max<std::size_t>(names.size(), 1));
                if (!numbers) {
                    return numbers.error();
                }
                names = product(names, *numbers);
            } else if (c == ']') {
                return malformed(list_, at_, "']' without '['");
            } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
                return malformed(list_, at_, "white space in a name");
            } else {
                for (std::string& name : names) {
                    name.push_back(c);
                }
                ++at_;
            }
        }
        if (at_ == start) {
            return malformed(list_, at_, "a name is missing before the comma");
        }
        if (names.size() > names_max) {
            return too_many();
        }
        return names;
    }

    /// "[1-3,07]" to 1, 2, 3, 07.
    Result<std::vector<std::string>> expand_bracket(std::size_t numbers_max) {
        ++at_; // '['
        std::vector<std::string> numbers;
        while (true) {
            auto low = read_number();
            if (!low) {
                return low.error();
            }
            std::string_view high = *low;
            if (at_ < list_.size() && list_[at_] == '-') {
                ++at_;
                auto end = read_number();
                if (!end) {
                    return end.error();
                }
                high = *end;
            }
            const std::uint64_t first = value_of(*low);
            const std::uint64_t last = value_of(high);
            if (last < first) {
                return malformed(list_, at_ - high.size(), "the range ends before it begins");
            }
            if (last - first >= numbers_max - std::min(numbers_max, numbers.size())) {
                return too_many();
            }
            for (std::uint64_t number = first; number <= last; ++number) {
                numbers.push_back(padded(number, low->size()));
            }
            if (at_ == list_.size()) {
                return malformed(list_, at_, "']' is missing");
            }
            const char c = list_[at_];
            if (c != ',' && c != ']') {
                return malformed(list_, at_, "expected ',', '-' or ']' after a number");
            }
            ++at_;
            if (c == ']') {
                return numbers;
            }
        }
    }

    Result<std::string_view> read_number() {
        const std::size_t start = at_;
        while (at_ < list_.size() && is_digit(list_[at_])) {
            ++at_;
        }
        if (at_ == start) {
            return malformed(list_, at_, "expected a number");
        }
        if (at_ - start > digits_max) {
            return malformed(list_, start, "the number is too long");
        }
        return list_.substr(start, at_ - start);
    }

    static std::vector<std::string> product(const std::vector<std::string>& names,
                                            const std::vector<std::string>& numbers) {
        std::vector<std::string> all;
        all.reserve(names.size() * numbers.size());
        for (const std::string& name : names) {
            for (const std::string& number : numbers) {
                all.push_back(name + number);
            }
        }
        return all;
    }

    Failure too_many() const {
        return {
            ErrorCode::malformed,
            fmt::format("hostlist '{}' has more than {} names", list_.substr(0, 200), names_max_)};
    }

    std::string_view list_;
    std::size_t names_max_;
    std::size_t at_ = 0;
};

struct SplitName {
    std::string_view prefix;
    std::string_view digits; ///< The number at the end; empty if there is none that fits a range.
};

SplitName split(std::string_view name) {
    std::size_t start = name.size();
    while (start > 0 && is_digit(name[start - 1]) && name.size() - start < digits_max) {
        --start;
    }
    return {name.substr(0, start), name.substr(start)};
}

/// Consecutive numbers behind one prefix; the width is that of the first.
struct Range {
    std::string_view first;
    std::uint64_t last = 0;

    [[nodiscard]] bool continues_with(std::string_view digits) const {
        return digits == padded(last + 1, first.size());
    }

    [[nodiscard]] std::string text() const {
        return last == value_of(first) ? std::string(first)
                                       : fmt::format("{}-{}", first, padded(last, first.size()));
    }
};

std::string entry_text(std::string_view prefix, const std::vector<Range>& ranges) {
    if (ranges.empty()) {
        return std::string(prefix);
    }
    if (ranges.size() == 1 && ranges[0].last == value_of(ranges[0].first)) {
        return fmt::format("{}{}", prefix, ranges[0].first);
    }
    std::string inside;
    for (const Range& range : ranges) {
        inside += (inside.empty() ? "" : ",") + range.text();
    }
    return fmt::format("{}[{}]", prefix, inside);
}

} // namespace

Result<std::vector<std::string>> expand_hostlist(std::string_view list, std::size_t names_max) {
    return Expansion(list, names_max).run();
}

Result<std::string> compress_hostlist(std::span<const std::string> names) {
    std::string list;
    std::size_t i = 0;
    while (i < names.size()) {
        const std::string_view prefix = split(names[i]).prefix;
        std::vector<Range> ranges;
        const std::size_t start = i;
        for (; i < names.size(); ++i) {
            if (names[i].empty() || names[i].find_first_of(",[] \t\r\n") != std::string::npos) {
                return Failure{ErrorCode::malformed,
                               fmt::format("'{}' cannot be a host name in a hostlist", names[i])};
            }
            const SplitName name = split(names[i]);
            if (name.prefix != prefix || (name.digits.empty() && i > start)) {
                break;
            }
            if (name.digits.empty()) {
                ++i; // a name without a number stands alone
                break;
            }
            if (!ranges.empty() && ranges.back().continues_with(name.digits)) {
                ++ranges.back().last;
            } else {
                ranges.push_back({name.digits, value_of(name.digits)});
            }
        }
        list += (list.empty() ? "" : ",") + entry_text(prefix, ranges);
    }
    return list;
}

} // namespace muster::slurm
