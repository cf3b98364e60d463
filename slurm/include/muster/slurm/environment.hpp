#pragma once

#include <muster/base/parse.hpp>

#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace muster::slurm {

/// Environment variables as a value, so that whatever depends on them can be tested.
class Environment {
public:
    using Variables = std::map<std::string, std::string, std::less<>>;

    Environment() = default;

    explicit Environment(Variables variables) : variables_(std::move(variables)) {}

    /// A copy of this process's environment; not while another thread changes it.
    static Environment of_process();

    /// The text lives as long as this object. A variable set to nothing is found, and empty.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

    [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }

    /// As find(), with "" for a variable that is not set.
    [[nodiscard]] std::string_view get_or_empty(std::string_view name) const {
        return find(name).value_or(std::string_view{});
    }

    /// The value as a number; nothing if it is not set, not a whole decimal number, or too large.
    template <std::integral I>
    [[nodiscard]] std::optional<I> number(std::string_view name) const {
        const auto text = find(name);
        return text ? parse_whole<I>(*text) : std::nullopt;
    }

    [[nodiscard]] const Variables& variables() const { return variables_; }

private:
    Variables variables_;
};

} // namespace muster::slurm
