#pragma once

#include <muster/base/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher {

/// Splits a line as a shell would, without expanding anything: blanks separate, '…' is literal, in
/// "…" a backslash stands before " \ $ and `, outside of quotes before any character; "#" at the
/// beginning of a word begins a comment.
/// @return a Failure if a quote does not end.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view line);

/// Words that a shell reads back as they are.
[[nodiscard]] std::string shell_line(const std::vector<std::string>& words);

} // namespace muster::launcher
