#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/data/batch_plan.hpp>
#include <muster/data/shuffle.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data {
namespace {

/// Where piece `rank` of `world` equal pieces of `rows` begins; pieces differ by at most one row.
std::uint64_t piece_begin(std::uint64_t rows, std::uint64_t rank, std::uint64_t world) {
    return rows / world * rank + std::min(rank, rows % world);
}

} // namespace

BatchPlan::BatchPlan(std::uint64_t rows, std::uint64_t batch_size, std::uint64_t seed, Shard shard)
    : rows_(rows), batch_size_(batch_size), seed_(seed), shard_(shard) {
    if (batch_size == 0) {
        throw UsageError("a batch of 0 rows was asked for; use a batch size of at least 1");
    }
    if (shard.rank >= shard.world) {
        throw UsageError(fmt::format(
            "shard {} of {} was asked for; shards are numbered from 0", shard.rank, shard.world));
    }
}

std::uint64_t BatchPlan::batches() const {
    return rows_ / batch_size_ + (rows_ % batch_size_ != 0 ? 1 : 0);
}

std::uint64_t BatchPlan::batch_rows(std::uint64_t batch) const {
    MUSTER_ASSERT(batch < batches());
    return std::min(batch_size_, rows_ - batch * batch_size_);
}

Position BatchPlan::position(std::uint64_t step) const {
    MUSTER_ASSERT(rows_ > 0);
    return {.epoch = step / batches(), .batch = step % batches()};
}

void BatchPlan::indices(std::uint64_t epoch,
                        std::uint64_t batch,
                        std::vector<std::uint64_t>& indices) const {
    const std::uint64_t size = batch_rows(batch);
    const std::uint64_t first = batch * batch_size_;
    const std::uint64_t begin = first + piece_begin(size, shard_.rank, shard_.world);
    const std::uint64_t end = first + piece_begin(size, shard_.rank + 1ULL, shard_.world);
    const Permutation order(rows_, seed_, epoch);
    indices.clear();
    indices.reserve(end - begin);
    for (std::uint64_t position = begin; position < end; ++position) {
        indices.push_back(order(position));
    }
}

} // namespace muster::data
