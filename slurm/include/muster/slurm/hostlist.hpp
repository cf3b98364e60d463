#pragma once

#include <muster/base/result.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::slurm {

/// Expands a Slurm hostlist: "n[001-003,7],gpu-[1-2]-[01-04]" to n001, n002, n003, n7, gpu-1-01, …
///
/// Order is kept, the last bracket turning fastest, and names may occur twice. A number is padded
/// with zeros to the width of the lower end of its range. An empty list has no names.
///
/// @param names_max  More names than this are a Failure, before memory is spent on them.
Result<std::vector<std::string>> expand_hostlist(std::string_view list,
                                                 std::size_t names_max = 1'000'000);

/// The shortest list of this form that expands to `names` in the same order: neighbours that differ
/// only in the number at their end share a bracket. A Failure if a name is empty or has a character
/// that the notation uses: a comma, a bracket or white space.
Result<std::string> compress_hostlist(std::span<const std::string> names);

} // namespace muster::slurm
