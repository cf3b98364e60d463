#pragma once

#include <muster/base/ids.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace muster::look {

/// "0:17", by its owner's rank: as people name a task.
[[nodiscard]] std::string task_name(TaskId task);

/// Of such a name. Nothing: it is none.
[[nodiscard]] std::optional<TaskId> parse_task_name(std::string_view name);

} // namespace muster::look
