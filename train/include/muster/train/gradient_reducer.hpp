#pragma once

#include <muster/core/communicator.hpp>
#include <muster/train/backend.hpp>
#include <muster/train/bucket_plan.hpp>
#include <muster/train/hook.hpp>
#include <muster/train/parameter.hpp>
#include <muster/train/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::train {

struct ReducerOptions {
    /// The first bucket is closed at this size: small, so that communication begins early.
    std::uint64_t first_bucket_bytes = std::uint64_t{1} << 20U;
    /// All others are closed at this size.
    std::uint64_t bucket_bytes = std::uint64_t{25} << 20U;
    /// Steps may leave parameters out: see mark_unused(). Costs a reduction of a byte per
    /// parameter.
    bool find_unused = false;
    /// How buckets of float32 travel, if not as they are. Borrowed by this reducer alone. float16
    /// and bfloat16 gradients without one travel as what they are.
    GradientHook* hook = nullptr;
};

/// Averages gradients over the members of a gang while the backward pass is still computing them.
///
///     GradientReducer reducer(ranks, gradients);
///     for (each step) {
///         reducer.begin(rows.size());    // of this member's piece of the batch
///         for (layers, last to first) {
///             compute the gradients of parameter p, averaged over those rows;
///             reducer.mark_ready(p);
///         }
///         reducer.finish();              // gradients are averages over the whole batch
///         update the parameters, on every member alike;
///     }
///
/// Parameters are grouped into buckets (see plan_buckets()). A bucket is reduced, asynchronously,
/// once all its gradients are ready and the buckets before it are on their way: all members start
/// the same reductions in the same order, whatever the order in which their gradients get ready.
///
/// In the first step there is one bucket per type. Then, once, buckets are made anew, at the sizes
/// of the options, in the order in which gradients got ready on member 0; all members take its
/// plan.
///
/// Averages are over samples. A member's gradients count as often as begin() said it has samples,
/// so uneven pieces of a last short batch, or empty ones, need no padding: the result is that of
/// one process with the whole batch, but for rounding. Elements are combined in the communicator's
/// order: the bits of the result depend on the number of members, and not on timing or buckets.
/// On a gang of one, gradients stay as they are, and steps send nothing.
///
/// Several backward passes per update: all but the last between begin_accumulation() and finish(),
/// which add up, weighted by their samples, and send nothing. Gradients are those of one pass each
/// time, as always: the reducer adds them.
///
/// A member that has no more batches while others do calls join() and answers them.
///
/// Cost: a copy of every gradient into and out of its bucket, as much memory again as the
/// gradients (twice it for 16-bit ones, which are added in float32), and per step one reduction per
/// bucket and, with counted samples, one of 16 bytes beside them.
///
/// Threads: the thread that uses the back end, which nobody else uses between begin() and
/// finish(). If a member ends, calls throw as the back end's do, and the reducer is of no use any
/// more.
///
/// Source: Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training",
/// VLDB 2020, sections 3.2 and 4.2.
class GradientReducer {
public:
    /// Collective: compares the members' parameters and options.
    ///
    /// @param backend    Borrowed.
    /// @param gradients  By parameter: floats of any type, on the CPU. The memory stays the
    ///                   caller's, in place, and as long as this.
    /// @throws Error that names the first parameter that differs in size, type or device, and the
    ///         members: usage, or aborted where another member found out first.
    GradientReducer(Backend& backend, std::vector<Tensor> gradients, ReducerOptions options = {});

    /// The same through a communicator back end of its own.
    GradientReducer(Communicator& communicator,
                    std::vector<ParameterView> gradients,
                    ReducerOptions options = {});

    GradientReducer(const GradientReducer&) = delete; // requests point into it
    GradientReducer& operator=(const GradientReducer&) = delete;
    ~GradientReducer();

    /// Starts a step in which all members count the same. All of them call this, or the other.
    /// @throws UsageError if the step before was not finished, with the parameters it lacked.
    void begin();

    /// Starts a step in which this member's gradients are averages over so many samples. With 0,
    /// they count nothing, whatever they hold, and need not be marked ready.
    void begin(std::uint64_t samples);

    /// Starts a pass that only adds to what the next step sends; all members make as many with
    /// begin(), while with begin(samples) each has as many as it likes. mark_ready() and finish()
    /// follow, and send nothing; a parameter not marked adds nothing.
    void begin_accumulation();
    void begin_accumulation(std::uint64_t samples);

    /// The gradient of a parameter is complete. It belongs to the reducer until finish().
    /// @throws UsageError if no step has begun, for a parameter marked before in this step, or one
    ///         that is not there.
    void mark_ready(std::size_t parameter);

    /// The same where the gradient is elsewhere from now on: for frameworks that make new memory
    /// for it in every step.
    /// @param gradient  Of the parameter's size and type. The memory stays in place until finish(),
    ///                  and until the next call of this, if there are steps without one.
    void mark_ready(std::size_t parameter, const Tensor& gradient);

    /// This member's step did not use the parameter: its gradient counts 0, whatever it holds. One
    /// that no member used keeps the gradient it has.
    /// @throws UsageError without ReducerOptions::find_unused, or as mark_ready() does.
    void mark_unused(std::size_t parameter);

    /// Waits until every gradient is the average over all members; after begin_accumulation()
    /// returns at once and leaves gradients as they are.
    /// @return the samples of all members, of all passes since the last step; with begin() without
    ///         samples, the number of members by that of passes. Of an accumulation, this member's.
    /// @throws UsageError if parameters were not marked ready, naming them by index: one that the
    ///         step did not use has a gradient as well, 0.
    std::uint64_t finish();

    /// This member has run out of samples: answers the others' steps, counting nothing, until all
    /// have called this. The others go on as ever, with begin(samples); nothing is sent beside what
    /// a step sends anyway.
    ///
    /// @param update  Called after each step, when gradients are averages: the update that others
    ///                make, so that all keep the same parameters.
    /// @return the steps answered.
    std::uint64_t join(const std::function<void(std::uint64_t samples)>& update = {});

    /// Memory held: buckets, of all types. Grows with the first accumulation on a gang of one.
    [[nodiscard]] std::uint64_t held_bytes() const;

    /// The buckets of this step, or of the next between steps.
    [[nodiscard]] const std::vector<Bucket>& buckets() const { return plan_; }

private:
    /// Gradients on their way, one after another in the order of the bucket. 16-bit ones are here
    /// as float.
    struct Flight {
        std::variant<std::vector<float>, std::vector<double>> values;
        std::size_t missing = 0;  ///< Parameters not ready.
        bool is_averaged = false; ///< Already divided, for a hook.
        Event event;              ///< After what it works on, so that it is gone before.
        std::unique_ptr<HookedReduction> reduction; ///< The same, where a hook has it.
    };

    /// Where a parameter has its place.
    struct Place {
        std::size_t bucket = 0;
        std::size_t offset = 0; ///< In elements.
    };

    /// Of a step, summed over the members.
    struct Counts {
        std::uint64_t samples = 0;
        std::uint64_t active = 0; ///< Members that have not joined.
    };

    GradientReducer(std::unique_ptr<Backend> owned,
                    std::vector<Tensor> gradients,
                    ReducerOptions options);

    void compare_members() const;
    [[noreturn]] void report_difference(std::span<const std::uint64_t> counts) const;
    void adopt(std::vector<Bucket> plan);
    void make_flights();
    void begin_step(std::optional<std::uint64_t> samples, bool is_accumulation);
    void send_counts(bool is_active);
    void check_begun(std::string_view call) const;
    void check_known(std::size_t parameter) const;
    void check_markable(std::size_t parameter) const;
    void collect(std::size_t parameter, bool is_used);
    void launch_ready();
    void launch(std::size_t bucket);
    [[nodiscard]] GradientHook* hook_of(ElementType type) const;
    std::uint64_t finish_accumulation();
    void finish_reductions();
    void return_gradients(std::size_t bucket, std::uint64_t samples);
    void clear_gradients();
    void rebuild();
    [[nodiscard]] std::string missing_parameters() const;

    std::unique_ptr<Backend> owned_; ///< Where it was made from a communicator.
    Backend& backend_;
    std::vector<Tensor> gradients_;
    std::vector<GradientShape> shapes_;
    ReducerOptions options_;
    std::shared_ptr<GradientHook> float16_hook_;
    std::shared_ptr<GradientHook> bfloat16_hook_;

    std::vector<Bucket> plan_;
    std::vector<Place> places_;   ///< By parameter.
    std::vector<Flight> flights_; ///< By bucket; on a gang of one empty, unless it accumulates.
    bool is_rebuilt_ = false;

    // Passes since the last step that was sent.
    std::vector<bool> is_accumulated_; ///< By parameter: its place holds a sum.
    std::uint64_t accumulated_samples_ = 0;
    std::uint64_t accumulations_ = 0;

    // The step.
    bool is_running_ = false;
    bool is_accumulation_ = false;
    std::optional<std::uint64_t> samples_; ///< Of this member, if counted.
    Counts counts_;
    Event counts_event_;
    std::vector<std::uint8_t> is_used_; ///< By parameter; after the step, by any member.
    Event used_event_;
    std::vector<bool> is_ready_;           ///< By parameter.
    std::vector<std::size_t> ready_order_; ///< Of this step so far.
    std::size_t next_bucket_ = 0;          ///< The first that is not on its way.
};

} // namespace muster::train
