#pragma once

#include <muster/base/amount.hpp>
#include <muster/base/result.hpp>
#include <muster/slurm/environment.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::resources {

/// What the user says that every rank has, in place of what is found.
struct Overrides {
    std::optional<std::int64_t> cpus; ///< MUSTER_CPUS=n, a whole number, per rank.
    std::optional<std::int64_t> gpus; ///< MUSTER_GPUS=n, a whole number, per rank.
    std::optional<Bytes> memory;      ///< MUSTER_MEMORY=n with a suffix ("16GiB"), per rank.
    /// MUSTER_RESOURCES="license=2,disk=0.5", per rank; sorted by name.
    std::vector<std::pair<std::string, Amount>> custom;
};

/// @return a Failure (usage) that names the variable and what it may hold.
Result<Overrides> read_overrides(const slurm::Environment& environment);

} // namespace muster::resources
