#pragma once

#include <muster/core/communicator.hpp>
#include <muster/train/bucket_plan.hpp>
#include <muster/train/parameter.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::train {

struct ReducerOptions {
    /// The first bucket is closed at this size: small, so that communication begins early.
    std::uint64_t first_bucket_bytes = std::uint64_t{1} << 20U;
    /// All others are closed at this size.
    std::uint64_t bucket_bytes = std::uint64_t{25} << 20U;
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
/// Cost: a copy of every gradient into and out of its bucket, as much memory again as the
/// gradients, and per step one reduction per bucket and, with counted samples, one of 8 bytes
/// beside them.
///
/// Threads: the thread that uses the communicator, which nobody else uses between begin() and
/// finish(). If a member ends, calls throw as the communicator's do, and the reducer is of no use
/// any more.
///
/// Source: Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training",
/// VLDB 2020, sections 3.2 and 4.2.
class GradientReducer {
public:
    /// Collective: compares the members' parameters.
    ///
    /// @param gradients  By parameter. The memory stays the caller's, in place, and as long as
    /// this.
    /// @throws Error that names a member whose parameters differ in number, size or type: usage, or
    ///         aborted where another member found out first.
    GradientReducer(Communicator& communicator,
                    std::vector<ParameterView> gradients,
                    ReducerOptions options = {});

    GradientReducer(const GradientReducer&) = delete; // requests point into it
    GradientReducer& operator=(const GradientReducer&) = delete;
    ~GradientReducer() = default;

    /// Starts a step in which all members count the same. All of them call this, or the other.
    /// @throws UsageError if the step before was not finished, with the parameters it lacked.
    void begin();

    /// Starts a step in which this member's gradients are averages over so many samples. With 0,
    /// they count nothing, whatever they hold, and need not be marked ready.
    void begin(std::uint64_t samples);

    /// The gradient of a parameter is complete. It belongs to the reducer until finish().
    /// @throws UsageError if no step has begun, for a parameter marked before in this step, or one
    ///         that is not there.
    void mark_ready(std::size_t parameter);

    /// The same where the gradient is elsewhere from now on: for frameworks that make new memory
    /// for it in every step.
    /// @param gradient  Of the parameter's size and type. The memory stays in place until finish(),
    ///                  and until the next call of this, if there are steps without one.
    void mark_ready(std::size_t parameter, ParameterView gradient);

    /// Waits until every gradient is the average over all members.
    /// @return the samples of all members; with begin() without samples, the number of members.
    /// @throws UsageError if parameters were not marked ready, naming them by index: one that the
    ///         step did not use has a gradient as well, 0.
    std::uint64_t finish();

    /// The buckets of this step, or of the next between steps.
    [[nodiscard]] const std::vector<Bucket>& buckets() const { return plan_; }

private:
    /// Gradients on their way, one after another in the order of the bucket.
    struct Flight {
        std::variant<std::vector<float>, std::vector<double>> values;
        std::size_t missing = 0; ///< Parameters not ready.
        Request request;         ///< After what it works on, so that it is gone before.
    };

    /// Where a parameter has its place.
    struct Place {
        std::size_t bucket = 0;
        std::size_t offset = 0; ///< In elements.
    };

    void compare_members() const;
    void adopt(std::vector<Bucket> plan);
    void begin_step(std::optional<std::uint64_t> samples);
    void check_begun(std::string_view call) const;
    void check_known(std::size_t parameter) const;
    void collect(std::size_t parameter);
    void launch_ready();
    void return_gradients(std::size_t bucket, std::uint64_t samples);
    void clear_gradients();
    void rebuild();
    [[nodiscard]] std::string missing_parameters() const;

    Communicator& communicator_;
    std::vector<ParameterView> gradients_;
    std::vector<GradientShape> shapes_;
    ReducerOptions options_;

    std::vector<Bucket> plan_;
    std::vector<Place> places_;   ///< By parameter.
    std::vector<Flight> flights_; ///< By bucket; empty on a gang of one.
    bool is_rebuilt_ = false;

    // The step.
    bool is_running_ = false;
    std::optional<std::uint64_t> samples_; ///< Of this member, if counted.
    std::uint64_t samples_of_all_ = 0;
    Request sample_request_;
    std::vector<bool> is_ready_;           ///< By parameter.
    std::vector<std::size_t> ready_order_; ///< Of this step so far.
    std::size_t next_bucket_ = 0;          ///< The first that is not on its way.
};

} // namespace muster::train
