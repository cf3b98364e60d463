#pragma once

#include "wire/messages.hpp"

#include <muster/base/clock.hpp>

namespace muster::sim {

/// Prints a line to standard error; nothing for a heartbeat.
void print_message(TimePoint when, Rank from, Rank to, Term term, const wire::Message& message);

} // namespace muster::sim
