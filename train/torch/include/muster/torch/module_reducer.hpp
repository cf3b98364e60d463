#pragma once

#include <muster/core/communicator.hpp>
#include <muster/train/gradient_reducer.hpp>

#include <cstdint>
#include <memory>

namespace torch::nn {
class Module;
}

namespace muster::train {

/// Whose buffers (what a module keeps and does not train, such as BatchNorm's statistics) a member
/// uses.
enum class BufferPolicy : std::uint8_t {
    from_first, ///< Member 0's, broadcast before the first forward pass of every step.
    own,        ///< Its own; all begin with member 0's.
};

struct DataParallelOptions {
    ReducerOptions reducer = {};
    /// Steps may leave parameters out: see ModuleReducer. Without it, one that got no gradient is
    /// an error that names it.
    bool find_unused = false;
    BufferPolicy buffers = BufferPolicy::from_first;
    /// Reduce while the backward pass runs. Without, all of it follows the pass: to compare.
    bool overlap = true;
};

/// Averages the gradients of a module over the members of a gang, from within its backward pass.
///
/// What DistributedDataParallel is made of, for modules that are called by other names than
/// forward(). It puts a hook behind every parameter's gradient accumulation: the gradient goes into
/// its bucket when it is complete, and backward() returns once all of them are averages over the
/// whole batch. A step is a backward pass, except between pause() and resume().
///
/// Gradients stay where autograd put them. They are copied into a bucket and back; with
/// zero_grad() that sets them to none, autograd neither zeroes nor adds.
///
/// Parameters that a step does not use: with `find_unused`, those without a gradient when the
/// backward pass ends count as 0 on this member, and one more all_reduce, of a byte a parameter,
/// tells who used what. A parameter that no member used keeps the gradient it had, or none, as in
/// one process. There is no walk through the graph, so buckets wait for their unused parameters
/// until the pass has ended.
///
/// Threads: the communicator is used by the thread that calls backward(): autograd runs the hooks
/// of parameters on the CPU there. Nobody else uses it meanwhile. Not for modules on a GPU.
class ModuleReducer {
public:
    /// Collective: compares the members' modules, then gives all of them member 0's parameters and
    /// buffers.
    ///
    /// @param module  Outlives this. Its parameters stay the same tensors: move or convert it
    ///                before.
    /// @throws UsageError on all members if modules differ, naming the first parameter or buffer
    ///         that does, and the members; for one that is sparse, on a GPU or of another type than
    ///         float and double.
    ModuleReducer(Communicator& communicator,
                  ::torch::nn::Module& module,
                  DataParallelOptions options = {});

    ModuleReducer(ModuleReducer&&) noexcept;
    ModuleReducer& operator=(ModuleReducer&&) = delete;
    ~ModuleReducer(); ///< Takes the hooks out.

    /// So many samples are in this member's piece of the batch: gradients are averages over them,
    /// and count as often. Takes precedence over before_forward().
    void begin(std::uint64_t samples);

    /// To be called before a forward pass with so many samples. Collective where the module is in
    /// training, has buffers, and they are member 0's.
    void before_forward(std::uint64_t samples);

    /// In place of a forward and a backward pass: this member has no samples in this step.
    /// Gradients become those of the others.
    /// @return the samples of all members; with 0, gradients are as they were.
    std::uint64_t skip();

    /// Of the last step, over all members.
    [[nodiscard]] std::uint64_t samples() const;

    /// Backward passes add up gradients on this member, without communication, until resume(); then
    /// the next one is a step for them all, which counts the samples of all.
    void pause();
    void resume();

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace muster::train
