#include <muster/base/assert.hpp>
#include <muster/train/bucket_plan.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace muster::train {
namespace {

/// A bucket being filled, with the limit at which it is closed.
struct OpenBucket {
    ElementType type;
    int device;
    Bucket parameters;
    std::uint64_t size_bytes = 0;
    std::size_t limit = 0; ///< Its index.
};

OpenBucket& open_bucket(std::vector<OpenBucket>& open, const GradientShape& gradient) {
    for (OpenBucket& bucket : open) {
        if (bucket.type == gradient.type && bucket.device == gradient.device) {
            return bucket;
        }
    }
    return open.emplace_back(OpenBucket{gradient.type, gradient.device, {}});
}

std::vector<Bucket> close_in_order(std::span<const GradientShape> gradients,
                                   std::span<const std::uint64_t> limits,
                                   std::span<const std::size_t> order) {
    MUSTER_ASSERT(!limits.empty());
    std::vector<Bucket> closed;
    std::vector<OpenBucket> open; // few, so searched; in order of appearance
    for (const std::size_t parameter : order) {
        const GradientShape& gradient = gradients[parameter];
        if (gradient.is_sparse) {
            closed.push_back({parameter});
            continue;
        }
        OpenBucket& bucket = open_bucket(open, gradient);
        bucket.parameters.push_back(parameter);
        bucket.size_bytes += gradient.size_bytes;
        if (bucket.size_bytes >= limits[bucket.limit]) {
            closed.push_back(std::exchange(bucket.parameters, {}));
            bucket.size_bytes = 0;
            bucket.limit = std::min(bucket.limit + 1, limits.size() - 1);
        }
    }
    // Of those left, the one whose first parameter came first.
    std::vector<std::size_t> position(gradients.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        position[order[i]] = i;
    }
    std::erase_if(open, [](const OpenBucket& bucket) { return bucket.parameters.empty(); });
    std::sort(open.begin(), open.end(), [&](const OpenBucket& a, const OpenBucket& b) {
        return position[a.parameters.front()] < position[b.parameters.front()];
    });
    for (OpenBucket& bucket : open) {
        closed.push_back(std::move(bucket.parameters));
    }
    return closed;
}

} // namespace

std::vector<Bucket> plan_buckets(std::span<const GradientShape> gradients,
                                 std::span<const std::uint64_t> limits) {
    std::vector<std::size_t> order(gradients.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::vector<Bucket> buckets = close_in_order(gradients, limits, order);
    // A bucket's parameters ascend, so its first is its smallest.
    std::sort(buckets.begin(), buckets.end(), [](const Bucket& a, const Bucket& b) {
        return a.front() > b.front();
    });
    return buckets;
}

std::vector<Bucket> plan_buckets(std::span<const GradientShape> gradients,
                                 std::span<const std::uint64_t> limits,
                                 std::span<const std::size_t> ready_order) {
    std::vector<bool> seen(gradients.size());
    for (const std::size_t parameter : ready_order) {
        MUSTER_ASSERT(parameter < seen.size() && !seen[parameter]);
        seen[parameter] = true;
    }
    MUSTER_ASSERT(ready_order.size() == gradients.size());
    return close_in_order(gradients, limits, ready_order);
}

} // namespace muster::train
