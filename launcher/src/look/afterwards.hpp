#pragma once

#include "look/model.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <string>

/// What `muster status`, `tasks` and `explain` say of a run from its traces, in the form in which a
/// run that goes on would. [pure]
namespace muster::launcher::look {

[[nodiscard]] nlohmann::json hello_of(const Model& model);
[[nodiscard]] nlohmann::json status_of(const Model& model);

/// Every task that was submitted, or ran: "done", "failed", "running" when its trace ended, or
/// "unstarted".
void list_tasks(const Model& model, const std::function<void(const nlohmann::json& task)>& take);

/// A sentence without a full stop. @param known  False: nothing is known of it.
[[nodiscard]] std::string explain(const Model& model, std::uint64_t task, bool& known);

} // namespace muster::launcher::look
