#pragma once

#include <muster/base/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::run {

/// To what each rank is bound.
enum class Bind {
    none,
    share, ///< An equal, contiguous part of the node's CPUs.
    core,  ///< A core of its own.
    socket,
    numa,
};

[[nodiscard]] Result<Bind> parse_bind(std::string_view text);

/// One logical CPU of this node that may be used, and where it is.
struct Cpu {
    int id = 0;
    int core = 0; ///< Unique on the node, like the others.
    int socket = 0;
    int numa = 0;
};

/// The CPUs of a rank: local rank `local_rank` of `local_size` on its node. Empty: not bound.
///
/// Ranks are dealt out one after the other to cores, sockets or NUMA nodes, in turn where there are
/// more ranks. `share` gives each at least one CPU.
///
/// @param cpus  In an order in which neighbours are close to each other.
[[nodiscard]] std::vector<int>
cpus_of_rank(Bind bind, const std::vector<Cpu>& cpus, int local_rank, int local_size);

/// This process's, by what the kernel's files say, ordered by core, socket and NUMA node.
[[nodiscard]] std::vector<Cpu> find_cpus();

/// "0-3,8".
[[nodiscard]] std::string format_cpus(const std::vector<int>& ids);

} // namespace muster::launcher::run
