#pragma once

#include <muster/data/batch_plan.hpp>
#include <muster/data/shuffle.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace muster::data {

/// Which samples a rank draws in an epoch, index for index by the rules of PyTorch's
/// DistributedSampler, for programs that are compared with one that uses it: every rank draws the
/// same number, by repeating or leaving out samples. (BatchPlan repeats none and leaves out none.)
///
/// Rules: of N samples and R ranks each draws ceil(N / R), or, where some are to be dropped and N
/// is no multiple of R, ceil((N - R) / R). The order of an epoch, repeated from its beginning as
/// often as it takes, is cut to R times that; rank r draws its elements r, r + R, r + 2R, … The
/// order itself is ours, Permutation(N, seed, epoch); PyTorch's comes from its generator. Source:
/// torch.utils.data.distributed.DistributedSampler, PyTorch 2.
class DistributedSampler {
public:
    struct Options {
        bool shuffle = true;
        std::uint64_t seed = 0;
        bool drop_last = false;
    };

    DistributedSampler(std::uint64_t samples, Shard shard, Options options)
        : samples_(samples), shard_(shard), options_(options) {
        const std::uint64_t world = shard.world;
        const bool drops = options.drop_last && samples % world != 0;
        const std::uint64_t shared = drops ? samples - std::min(samples, world) : samples;
        size_ = samples == 0 ? 0 : (shared + world - 1) / world;
        set_epoch(0);
    }

    /// Samples that this rank, and every other, draws in an epoch.
    [[nodiscard]] std::uint64_t size() const { return size_; }

    void set_epoch(std::uint64_t epoch) {
        order_.reset();
        if (options_.shuffle) {
            order_.emplace(samples_, options_.seed, epoch);
        }
    }

    /// The i-th sample of this rank; i < size().
    [[nodiscard]] std::uint64_t operator[](std::uint64_t i) const {
        MUSTER_ASSERT(i < size_);
        const std::uint64_t position = (i * shard_.world + shard_.rank) % samples_;
        return order_ ? (*order_)(position) : position;
    }

private:
    std::uint64_t samples_;
    Shard shard_;
    Options options_;
    std::uint64_t size_ = 0;
    std::optional<Permutation> order_;
};

} // namespace muster::data
