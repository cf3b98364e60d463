#pragma once

#include <muster/train/element.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace muster::train {

/// What decides in which bucket a parameter's gradient goes.
struct GradientShape {
    std::uint64_t size_bytes = 0;
    ElementType type = ElementType::float32;
    int device = 0;         ///< Memory it is in; buckets do not mix devices.
    bool is_sparse = false; ///< Goes alone, since it is not reduced element by element.
};

/// Parameters, by index, whose gradients are reduced together, in the order of their place in it.
using Bucket = std::vector<std::size_t>;

inline constexpr std::uint64_t unlimited_bucket_bytes = std::numeric_limits<std::uint64_t>::max();

/// Groups parameters into buckets, to be reduced in the order returned.
///
/// Walks the parameters in order. Those of one (type, device) gather in a bucket, which is closed
/// once it holds at least limits[0] bytes; the next of that type and device at limits[1], and so
/// on, the last limit being that of all further ones. A sparse gradient is a bucket of its own. So
/// a bucket is as large as its limit and at most one parameter more; a limit of 0 is one parameter.
/// Finally buckets are ordered by their smallest parameter and the list is reversed: the backward
/// pass comes to the last layers first.
///
/// The result depends on the arguments only. That is what keeps members in step: collectives in
/// different orders would be refused, or hang.
///
/// @param limits  At least one.
/// Source: Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training",
/// VLDB 2020, section 3.2.3, and PyTorch's compute_bucket_assignment_by_size().
[[nodiscard]] std::vector<Bucket> plan_buckets(std::span<const GradientShape> gradients,
                                               std::span<const std::uint64_t> limits);

/// The same where it is known in which order gradients get ready: parameters are walked in that
/// order, and buckets reduced in the order in which they were closed. Those never full come last,
/// by the first of their parameters to get ready.
///
/// @param ready_order  Every parameter once.
[[nodiscard]] std::vector<Bucket> plan_buckets(std::span<const GradientShape> gradients,
                                               std::span<const std::uint64_t> limits,
                                               std::span<const std::size_t> ready_order);

} // namespace muster::train
