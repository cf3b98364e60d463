#pragma once

#include "wire/actions.hpp"

#include <functional>
#include <string>

namespace muster::status {

/// What the page says beside what the ranks said.
struct Heading {
    std::string time;   ///< Of the day.
    Duration running{}; ///< Since the run began.
};

/// One page, of no more than 40 lines: tasks by state and function, the
/// oldest that run, what each that waits waits for, and ranks that did not answer.
///
/// @param name_of  A function's name.
std::string render(const wire::PrintStatus& status,
                   const Heading& heading,
                   const std::function<std::string(FunctionId)>& name_of);

} // namespace muster::status
