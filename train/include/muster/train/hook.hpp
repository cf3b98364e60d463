#pragma once

#include <muster/train/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace muster::train {

/// A parameter's place in a bucket.
struct BucketPiece {
    std::size_t parameter = 0;
    std::span<float> values;
};

/// A bucket under way. Its rounds of messages are started one at a time, those of all buckets in
/// the same order on every member.
class HookedReduction {
public:
    HookedReduction() = default;
    HookedReduction(const HookedReduction&) = delete;
    HookedReduction& operator=(const HookedReduction&) = delete;
    virtual ~HookedReduction() = default;

    /// Waits for the round under way and starts the next. @return whether there is one; if not, the
    /// bucket holds the result. @throws as Event::wait() does.
    virtual bool advance() = 0;
};

/// How a bucket of float32 becomes everybody's sum: compressed, for instance. float64 gradients are
/// not given to it.
///
/// Threads: the reducer's. A hook belongs to one reducer, since it may remember what it left out.
class GradientHook {
public:
    GradientHook() = default;
    GradientHook(const GradientHook&) = delete;
    GradientHook& operator=(const GradientHook&) = delete;
    virtual ~GradientHook() = default;

    /// Must be the same on all members; they are compared.
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    /// Starts the first round.
    /// @param bucket  This member's addends of the average, already divided by the samples of all.
    ///                The hook's until the reduction is done.
    /// @param pieces  Of the bucket, which they cover.
    [[nodiscard]] virtual std::unique_ptr<HookedReduction>
    reduce(std::span<float> bucket, std::span<const BucketPiece> pieces, Backend& backend) = 0;
};

/// float16 or bfloat16 on the wire: half the bytes. Members' addends are rounded to nearest even,
/// added in float32, and the sum is rounded. bfloat16 has float's range, float16 more digits: what
/// is above 65504 in it becomes infinite, which LossScaler sees.
[[nodiscard]] std::shared_ptr<GradientHook> make_narrow_hook(ElementType type);

struct PowerSgdOptions {
    std::size_t rank = 2; ///< Of the approximation; at least 1.
    /// By parameter: the rows of its matrix, which divide its elements. Parameters without one (0,
    /// or beyond the end), and those for which it would not save bytes, travel as they are.
    std::vector<std::size_t> rows{};
    std::uint64_t seed = 1; ///< Of the first guess; the same on all members.
};

/// Rank r approximations of matrices, with error feedback: per matrix of n x m elements, r (n + m)
/// travel, in two rounds. What a step leaves out is added to the next.
///
/// Remembers one float per element of a compressed parameter, and r m for its right factor.
/// Source: Vogels, Karimireddy, Jaggi, "PowerSGD: Practical Low-Rank Gradient Compression for
/// Distributed Optimization", NeurIPS 2019, algorithms 1 and 2.
[[nodiscard]] std::shared_ptr<GradientHook> make_power_sgd_hook(PowerSgdOptions options);

struct TopKOptions {
    double share = 0.01; ///< Of a bucket's elements that are sent, above 0, rounded up.
};

/// The largest elements of each member's bucket, with error feedback: indices and values, 8 bytes
/// each, are gathered by all, so what arrives grows with the members. Ties go to the smaller index.
///
/// Remembers one float per element.
/// Source: Stich, Cordonnier, Jaggi, "Sparsified SGD with Memory", NeurIPS 2018, algorithm 1.
[[nodiscard]] std::shared_ptr<GradientHook> make_top_k_hook(TopKOptions options);

} // namespace muster::train
