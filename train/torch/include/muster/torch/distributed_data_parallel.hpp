#pragma once

#include <muster/torch/module_reducer.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace muster::train {

/// A module whose gradients are averaged over the members of a gang, each of which has the same
/// module and its own piece of every batch.
///
///     DistributedDataParallel net(ranks, Net());        // member 0's weights everywhere
///     torch::optim::SGD optimizer(net->parameters(), 0.1);
///     while (auto batch = loader.next()) {
///         optimizer.zero_grad();
///         auto loss = torch::nll_loss(net(images), labels); // a mean over this member's images
///         loss.backward();                               // gradients are those of the whole batch
///         optimizer.step();                              // the same on every member
///     }
///
/// The weights are those of one process with whole batches, but for rounding, and the same bits on
/// all members. Averages are over samples: those of a forward pass are the size of the first axis
/// of its first tensor, or what begin() said. So pieces may be uneven; a member without any calls
/// skip(), and one that is through with its data join().
///
/// Layers that look at their batch see this member's piece: BatchNorm's means and variances are of
/// that, so its numbers are not those of one process. Its running statistics are member 0's (see
/// BufferPolicy).
///
/// What else holds, unused parameters and threads: see ModuleReducer. Not with create_graph.
///
/// @tparam Module  A holder (`Net` of TORCH_MODULE(Net)) or a shared_ptr of a module.
template <class Module>
class DistributedDataParallel {
public:
    /// Collective; see ModuleReducer.
    DistributedDataParallel(Communicator& communicator,
                            Module module,
                            DataParallelOptions options = {})
        : module_(std::move(module)), reducer_(communicator, *module_, options) {}

    /// The module's forward().
    template <class... Arguments>
    auto operator()(Arguments&&... arguments) {
        reducer_.before_forward(samples_of(arguments...));
        return module_->forward(std::forward<Arguments>(arguments)...);
    }

    template <class... Arguments>
    auto forward(Arguments&&... arguments) {
        return (*this)(std::forward<Arguments>(arguments)...);
    }

    /// The next forward pass has so many samples: where the batch is not the first axis, or samples
    /// are its words.
    void begin(std::uint64_t samples) { reducer_.begin(samples); }

    /// A step without samples; see ModuleReducer.
    std::uint64_t skip() { return reducer_.skip(); }

    /// Answers the others' steps until all members have called this; called by every member when
    /// it is through with its data.
    ///
    /// @param after_step  What is done after every step of the others: optimizer.step() and
    ///                    zero_grad(), so that all keep the same weights.
    template <class AfterStep>
    void join(AfterStep&& after_step) {
        while (skip() > 0) {
            after_step();
        }
    }

    /// While it is there, backward passes add up gradients without communication: to accumulate
    /// them over small batches. The first pass after it is the step for them all.
    class [[nodiscard]] NoSync {
    public:
        explicit NoSync(ModuleReducer& reducer) : reducer_(reducer) { reducer_.pause(); }

        NoSync(const NoSync&) = delete;
        NoSync& operator=(const NoSync&) = delete;

        ~NoSync() { reducer_.resume(); }

    private:
        ModuleReducer& reducer_;
    };

    NoSync no_sync() { return NoSync(reducer_); }

    /// Of the last step, over all members.
    [[nodiscard]] std::uint64_t samples() const { return reducer_.samples(); }

    [[nodiscard]] const Module& module() const { return module_; }

    auto* operator->() { return &*module_; }

private:
    template <class First, class... Rest>
    static std::uint64_t samples_of(const First& first, const Rest&... rest) {
        if constexpr (std::is_same_v<First, at::Tensor>) {
            return first.dim() == 0 ? 1 : static_cast<std::uint64_t>(first.size(0));
        } else {
            static_assert(sizeof...(rest) > 0,
                          "forward() has no tensor; use ModuleReducer and its begin()");
            return samples_of(rest...);
        }
    }

    Module module_;
    ModuleReducer reducer_;
};

} // namespace muster::train
