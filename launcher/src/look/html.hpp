#pragma once

#include "look/model.hpp"

#include <string>

namespace muster::launcher::look {

/// A page about a run that has all that it shows in it: no script, no other file. [pure]
[[nodiscard]] std::string render_html(const Model& model);

} // namespace muster::launcher::look
