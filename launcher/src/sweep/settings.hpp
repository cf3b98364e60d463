#pragma once

#include <muster/base/amount.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::launcher::sweep {

// Values of settings, from the command line or a job file. All throw UsageError that names the
// setting and says what it may be.

[[nodiscard]] Amount parse_amount(std::string_view name, std::string_view text);
[[nodiscard]] Bytes parse_memory(std::string_view text);
[[nodiscard]] std::int32_t parse_priority(std::string_view text);
[[nodiscard]] std::uint32_t parse_retries(std::string_view text);
[[nodiscard]] std::uint64_t
parse_count(std::string_view name, std::string_view text, std::uint64_t least);
[[nodiscard]] std::chrono::milliseconds parse_timeout(std::string_view text);

/// "NAME=value". @param what  For messages: "--env".
[[nodiscard]] std::pair<std::string, std::string> parse_pair(std::string_view what,
                                                             std::string_view text);

/// Adds a variable, or replaces the one of that name.
void set_variable(std::vector<std::pair<std::string, std::string>>& variables,
                  const std::string& name,
                  std::string value);

} // namespace muster::launcher::sweep
