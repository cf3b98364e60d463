#pragma once

namespace bench {

/// What the calling process uses. An aggregate, so that it travels as a task's result.
struct ProcessUsage {
    double cpu_seconds = 0; ///< User and system time of all its threads since it started.
    double private_mib = 0; ///< Memory that no other process shares.
    double pss_mib = 0;     ///< Private memory, and its share of what is shared.
};

ProcessUsage process_usage();

} // namespace bench
