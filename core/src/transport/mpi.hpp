#pragma once

#include "transport/transport.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace muster::transport {

/// The command line as main() got it; MPI may remove arguments of its own from it.
struct StartInfo {
    int* argc = nullptr;
    char*** argv = nullptr;
};

/// What MPI allows beside the progress thread's calls.
enum class ThreadLevel {
    serialized, ///< One thread in MPI at a time: raw communicators for user code are not possible.
    multiple,   ///< Any thread at any time.
};

/// The ranks that an MPI launcher started.
///
/// Packets go through a pool of posted receives (matched in posting order and taken in that order,
/// which keeps the order per pair). Bulk data goes in fragments of constant size, received from a
/// named peer only. Ranks of one node wake each other through futex words in memory that they
/// share; packets from other nodes are found by polls at most 1 ms apart.
///
/// Of a peer that is forgotten, MPI's requests are never looked at again, and all that they may
/// touch is kept.
class MpiTransport : public Transport {
public:
    [[nodiscard]] virtual ThreadLevel thread_level() const = 0;

    /// What MPI says of itself: "Open MPI v4.1.4, ...".
    [[nodiscard]] virtual std::string library_version() const = 0;

    /// Every rank's bytes, by rank. Collective: every rank, same order, before the first packet is
    /// sent by anybody; start-up is the only time at which ranks wait for each other.
    virtual std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> own) = 0;
};

/// Initialises MPI and joins the world. Collective: every rank that the launcher started.
///
/// Sets Open MPI's parameters that the transport relies on, unless the user has set them: no
/// single-copy mechanism in shared memory (copying twice measured faster), an eager limit above
/// packet_bytes_max, and yielding in MPI's own waits where ranks outnumber CPUs.
///
/// Throws Error if MPI cannot be initialised, was initialised already, or allows only its
/// initialising thread to call it.
std::unique_ptr<MpiTransport> start_mpi(const StartInfo& info);

} // namespace muster::transport
