#pragma once

#include <muster/base/result.hpp>
#include <muster/core/command.hpp>

#include <optional>

namespace muster::process {

/// What is wrong with a specification before anything is started: no program, a byte that the
/// system cannot pass on, an environment name with '=' in it, two inputs.
std::optional<Failure> check(const CommandSpec& spec);

/// "./sim --seed 3", cut after some 80 characters: how messages name a command.
std::string describe(const CommandSpec& spec);

} // namespace muster::process
