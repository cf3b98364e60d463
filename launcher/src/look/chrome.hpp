#pragma once

#include "look/model.hpp"

#include <iosfwd>

namespace muster::launcher::look {

/// Writes a run's traces as JSON that Perfetto (ui.perfetto.dev) and chrome://tracing read: a
/// process for each rank, a thread for each of its threads, an arrow for each dependency.
void write_chrome(const Model& model, std::ostream& out);

} // namespace muster::launcher::look
