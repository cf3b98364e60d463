#pragma once

#include "wire/status.hpp"

#include <cstdint>
#include <functional>
#include <string>

/// What the page and the sentence about a task have in common.
namespace muster::status {

/// A function's name.
using NameOf = std::function<std::string(FunctionId)>;

/// "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);

/// "1 task", "2,000 tasks"
[[nodiscard]] std::string counted(std::uint64_t number, const char* one, const char* many);

/// "train (0:17)"
[[nodiscard]] std::string
called(const std::string& name, FunctionId function, TaskId task, const NameOf& name_of);

/// What ready tasks of a class want, and what there is.
[[nodiscard]] std::string why_queued(const wire::QueuedStatus& item);

/// A placement group that waits for room.
[[nodiscard]] std::string describe(const wire::GroupStatus& group);

/// A dependency that is not there: which it is, and how far.
[[nodiscard]] std::string describe(const wire::MissingStatus& item, const NameOf& name_of);

/// The first dependencies that are not there, and how many more.
[[nodiscard]] std::string
list_missing(const wire::WaitingStatus& item,
             const std::function<std::string(const wire::MissingStatus&)>& describe);

} // namespace muster::status
