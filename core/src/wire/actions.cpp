#include "wire/actions.hpp"

namespace muster::wire {

Action::Action(Action&& other) noexcept = default;
Action& Action::operator=(Action&& other) noexcept = default;
Action::~Action() = default;

} // namespace muster::wire
