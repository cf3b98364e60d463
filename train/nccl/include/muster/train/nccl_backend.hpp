#pragma once

#include <muster/train/backend.hpp>

#include <chrono>
#include <memory>
#include <span>
#include <string>

namespace muster::train {

struct NcclOptions {
    int device =
        -1; ///< This member's GPU, as CUDA counts them; negative: rank modulo their number.
    /// Until all members have met in a new communicator, and for wait(). When it has passed, the
    /// communicator is aborted, and calls throw Error (timed_out).
    std::chrono::milliseconds timeout{std::chrono::minutes(10)};
};

/// GPUs' collectives, by NCCL: tensors in the memory of this member's GPU, reduced on a stream of
/// the back end's own. Calls return at once; work that the caller put on another stream, and whose
/// results it hands over, must be complete: see wait_for_stream().
///
/// Sums of 16-bit floats are NCCL's, which adds in their own type or better, by its version.
/// A member that leaves with an exception aborts its communicator, so that nothing of it is left
/// running; the others' waits throw Error (aborted) when NCCL tells, or at the time-out.
///
/// Threads: one thread of a member at a time.
class NcclBackend : public Backend {
public:
    /// Calls from now on begin after what is on this cudaStream_t now.
    virtual void wait_for_stream(void* stream) = 0;

    /// Whether the NCCL that runs can make a communicator of those that are left.
    [[nodiscard]] virtual bool can_shrink() const noexcept = 0;

    /// Collective over the members that are left: goes on without the others, whose ranks these
    /// are. What is under way is lost: events throw. Ranks count anew, in the old order.
    /// @throws Error (failed) if NCCL cannot (before 2.27), or did not.
    virtual void shrink(std::span<const int> lost_ranks) = 0;

    /// The NCCL that runs, as its NCCL_VERSION_CODE: 22809 is 2.28.9.
    [[nodiscard]] virtual int version() const noexcept = 0;
};

/// Collective over the gang; `communicator` brings NCCL's unique id to all, and tells them all how
/// the others fared, so that either all have a back end, or none has.
/// @throws Error (failed) on all members if one could not, with the first one's reason: there is no
///         GPU, two members have the same one, NCCL's own. Error (timed_out) likewise.
[[nodiscard]] std::unique_ptr<NcclBackend> make_nccl_backend(Communicator& communicator,
                                                             NcclOptions options = {});

/// NCCL's back end, or where there is none the communicator's, on all members alike.
struct Chosen {
    std::unique_ptr<Backend> backend;
    std::string why; ///< It is not NCCL's; else empty.
};

[[nodiscard]] Chosen make_nccl_or_communicator_backend(Communicator& communicator,
                                                       NcclOptions options = {});

} // namespace muster::train
