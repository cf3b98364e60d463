#pragma once

#include <muster/core/communicator.hpp>

#include <span>
#include <variant>

namespace muster::train {

/// The values of a parameter, or of its gradient: memory of the caller, contiguous, on the CPU.
using ParameterView = std::variant<std::span<float>, std::span<double>>;

/// Gives all members the parameters of member 0, so that training begins in the same place.
/// Collective: every member, with parameters of the same number, sizes and types.
/// @throws Error as Communicator's calls do.
void broadcast_parameters(Communicator& communicator, std::span<const ParameterView> parameters);

} // namespace muster::train
