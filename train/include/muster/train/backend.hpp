#pragma once

#include <muster/core/communicator.hpp>
#include <muster/train/tensor.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace muster::train {

/// What an Event waits for. Implemented by back ends.
class Pending {
public:
    Pending() = default;
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    virtual ~Pending() = default;

    /// Never blocks. @throws as wait() does.
    [[nodiscard]] virtual bool done() = 0;
    /// Returns once it is done. @throws what it failed with.
    virtual void wait() = 0;
    /// Called instead of wait() when an exception takes the event away: it must not wait for other
    /// members, and nothing touches the operation's memory once it has returned.
    virtual void give_up() noexcept = 0;
};

/// An operation of a Backend that was started. The memory it was given stays its own, and in place,
/// until wait() returned or test() was true. Destroying an event that is not done waits; if an
/// exception destroys it, it gives up, and the back end is of no more use.
/// Threads: the back end's.
class Event {
public:
    Event() = default; ///< Done.
    explicit Event(std::unique_ptr<Pending> pending);
    Event(Event&&) noexcept = default;
    Event& operator=(Event&& other) noexcept;
    ~Event();

    /// @throws Error (aborted) if a member ended; Error (usage) if members' calls differ; Error
    /// (failed) of what lies beneath.
    void wait();
    /// True once it is done.
    [[nodiscard]] bool test();

private:
    void abandon() noexcept;

    std::unique_ptr<Pending> pending_;
    int exceptions_before_ = 0; ///< Under way when it was made.
};

/// How tensors travel between the members of a gang.
///
/// Collective, all of them: every member makes the same calls, with the same sizes, types and
/// operation, in the same order; they are carried out in that order and may be awaited in any.
/// Calls return at once. Sums of float16 and bfloat16 are added in float32 and rounded once, so
/// that only what travels is narrow; every member gets the same bits.
///
/// Threads: one thread of a member at a time.
class Backend {
public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    [[nodiscard]] virtual int rank() const noexcept = 0; ///< Of this member, from 0.
    [[nodiscard]] virtual int size() const noexcept = 0;

    /// Whether it can reach tensors there.
    [[nodiscard]] virtual bool reaches(Device device) const noexcept {
        return device.kind == Device::Kind::cpu;
    }

    /// Element i of everybody's `data` becomes their reduction. float16 and bfloat16: `sum` only.
    [[nodiscard]] Event all_reduce(Tensor data, ReduceOp op = ReduceOp::sum);

    /// `data` is size() parts of result.elements; `result` of member r becomes the reduction of
    /// everybody's part r. The two may not overlap. float16 and bfloat16: `sum` only.
    [[nodiscard]] Event
    reduce_scatter(ConstTensor data, Tensor result, ReduceOp op = ReduceOp::sum);

    /// Part r of `result`, size() parts of data.elements, becomes `data` of member r. `data` may be
    /// this member's part of `result`.
    [[nodiscard]] Event all_gather(ConstTensor data, Tensor result);

    /// `data` of `root` comes to all.
    [[nodiscard]] Event broadcast(Tensor data, int root);

    enum class Kind : std::uint8_t { all_reduce, reduce_scatter, all_gather, broadcast };

    /// A call, its arguments checked. For those who implement a back end.
    struct Call {
        Kind kind = Kind::all_reduce;
        ConstTensor data; ///< Not of those that work in place.
        Tensor result;
        ReduceOp op = ReduceOp::sum;
        int root = 0;
    };

private:
    [[nodiscard]] virtual std::unique_ptr<Pending> start(const Call& call) = 0;

    void check(const Call& call) const;
};

/// The default: the gang's Communicator, which lends its calls to nobody else while events are
/// pending. Sums are bitwise the same for a given number of members, wherever they are.
///
/// The first call with 16-bit floats starts a thread, which makes all calls from then on: such a
/// sum takes two rounds, all_to_all of the narrow elements and all_gather of narrow sums.
/// `communicator` is borrowed.
[[nodiscard]] std::unique_ptr<Backend> make_communicator_backend(Communicator& communicator);

/// Plain loops over the memory of threads of one process, in the order of the ranks: what the
/// others are compared with. One back end per member, each for one thread. The member to come last
/// does the work of a call. A back end that is destroyed fails the calls it did not make with Error
/// (aborted).
[[nodiscard]] std::vector<std::unique_ptr<Backend>> make_reference_backends(int members);

} // namespace muster::train
