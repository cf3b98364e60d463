#pragma once

#include "status/words.hpp"
#include "wire/status.hpp"

#include <optional>
#include <string>

namespace muster::status {

/// How far a task has come, and what keeps it: a sentence without a full stop.
///
/// @param host_of  A rank's machine.
[[nodiscard]] std::string explain(const wire::TaskStatus& status,
                                  const NameOf& name_of,
                                  const std::function<std::string(Rank)>& host_of);

} // namespace muster::status
