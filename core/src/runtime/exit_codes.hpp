#pragma once

/// With which codes a process ends by itself; docs/environment.md lists them for users.
namespace muster::runtime {

/// This rank is lost to the run, and the run goes on without it (or its driver's rank is gone).
///
/// EX_UNAVAILABLE of <sysexits.h>; those of a run that ends early are ending/ending.hpp's.
inline constexpr int exit_code_lost_rank = 69;

} // namespace muster::runtime
