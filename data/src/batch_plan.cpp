#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/data/batch_plan.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data {
namespace {

/// Where piece `rank` of `world` equal pieces of `rows` begins; pieces differ by at most one row.
std::uint64_t piece_begin(std::uint64_t rows, std::uint64_t rank, std::uint64_t world) {
    return rows / world * rank + std::min(rank, rows % world);
}

} // namespace

BatchPlan::BatchPlan(OrderSpec order, std::uint64_t batch_size, Shard shard, Tail tail)
    : order_(std::move(order)), batch_size_(batch_size), shard_(shard), tail_(tail) {
    if (batch_size == 0) {
        throw UsageError("a batch of 0 rows was asked for; use a batch size of at least 1");
    }
    if (shard.rank >= shard.world) {
        throw UsageError(fmt::format(
            "shard {} of {} was asked for; shards are numbered from 0", shard.rank, shard.world));
    }
}

std::uint64_t BatchPlan::batches() const {
    const bool has_tail = order_.rows % batch_size_ != 0 && tail_ != Tail::drop;
    return order_.rows / batch_size_ + (has_tail ? 1 : 0);
}

std::uint64_t BatchPlan::batch_rows(std::uint64_t batch) const {
    MUSTER_ASSERT(batch < batches());
    return tail_ == Tail::pad ? batch_size_
                              : std::min(batch_size_, order_.rows - batch * batch_size_);
}

std::uint64_t BatchPlan::piece_rows(std::uint64_t batch, std::uint32_t rank) const {
    MUSTER_ASSERT(rank < shard_.world);
    const std::uint64_t size = batch_rows(batch);
    return piece_begin(size, rank + 1ULL, shard_.world) - piece_begin(size, rank, shard_.world);
}

Position BatchPlan::position(std::uint64_t step) const {
    MUSTER_ASSERT(batches() > 0);
    return {.epoch = step / batches(), .batch = step % batches()};
}

void BatchPlan::indices(const EpochOrder& order,
                        std::uint64_t batch,
                        std::vector<std::uint64_t>& indices) const {
    const std::uint64_t size = batch_rows(batch);
    const std::uint64_t first = batch * batch_size_;
    std::uint64_t position = first + piece_begin(size, shard_.rank, shard_.world);
    const std::uint64_t end = first + piece_begin(size, shard_.rank + 1ULL, shard_.world);
    indices.clear();
    while (position < end) { // once, but for padding, which goes round
        const std::uint64_t at = position % order_.rows;
        const std::uint64_t count = std::min(end - position, order_.rows - at);
        order.append(at, count, indices);
        position += count;
    }
}

} // namespace muster::data
