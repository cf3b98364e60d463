#pragma once

#include "run/cpu_binding.hpp"

#include <muster/slurm/environment.hpp>

#include <string>
#include <vector>

namespace muster::launcher::run {

/// GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them.
[[nodiscard]] std::vector<std::string> find_gpus(const slurm::Environment& environment);

/// How many CPUs this process may use: those of its mask, and no more than its cgroup's quota.
[[nodiscard]] int count_cpus();

/// This node's name.
[[nodiscard]] std::string host_name();

/// "NAME=value" of all variables.
[[nodiscard]] std::vector<std::string> variables_of(const slurm::Environment& environment);

/// Letters and digits that nobody guesses.
[[nodiscard]] std::string random_secret();

} // namespace muster::launcher::run
