#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/data/epoch_order.hpp>

#include <algorithm>
#include <numeric>

namespace muster::data {

EpochOrder::EpochOrder(const OrderSpec& spec, std::uint64_t epoch)
    : spec_(spec), epoch_(epoch),
      permutation_(spec.order == Order::shuffled_by_block && spec.block_starts
                       ? spec.block_starts->size()
                       : spec.rows,
                   spec.seed,
                   epoch) {
    if (spec_.order != Order::shuffled_by_block) {
        return;
    }
    if (!spec_.block_starts || spec_.window_blocks == 0) {
        throw UsageError("an order by block needs blocks, and windows of at least one of them");
    }
    MUSTER_ASSERT(spec_.rows == 0 ||
                  (!spec_.block_starts->empty() && spec_.block_starts->front() == 0 &&
                   spec_.block_starts->back() < spec_.rows));
    const std::uint64_t count = spec_.block_starts->size();
    blocks_.reserve(count);
    std::uint64_t position = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (i % spec_.window_blocks == 0) {
            window_first_.push_back(position);
        }
        blocks_.push_back(permutation_(i));
        position += block_rows(blocks_.back());
    }
}

std::uint64_t EpochOrder::block_rows(std::uint64_t block) const {
    const std::vector<std::uint64_t>& starts = *spec_.block_starts;
    return (block + 1 < starts.size() ? starts[block + 1] : spec_.rows) - starts[block];
}

EpochOrder::Window EpochOrder::window(std::uint64_t number) const {
    const std::uint64_t first_block = number * spec_.window_blocks;
    const std::uint64_t end =
        number + 1 < window_first_.size() ? window_first_[number + 1] : spec_.rows;
    return {window_first_[number],
            end - window_first_[number],
            std::span(blocks_).subspan(
                first_block, std::min(spec_.window_blocks, blocks_.size() - first_block))};
}

std::uint64_t EpochOrder::window_of(std::uint64_t position) const {
    MUSTER_ASSERT(position < spec_.rows);
    return static_cast<std::uint64_t>(
        std::upper_bound(window_first_.begin(), window_first_.end(), position) -
        window_first_.begin() - 1);
}

void EpochOrder::append_from_window(std::uint64_t number,
                                    std::uint64_t first,
                                    std::uint64_t count,
                                    std::vector<std::uint64_t>& rows) const {
    const Window of = window(number);
    std::vector<std::uint64_t> ends;
    ends.reserve(of.blocks.size());
    std::uint64_t end = 0;
    for (const std::uint64_t block : of.blocks) {
        ends.push_back(end += block_rows(block));
    }
    // Windows are numbered through all epochs, so that no two share an order.
    const Permutation inside(of.rows, mix64(spec_.seed ^ mix64(epoch_ + 1)), number + 1);
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t at = inside(first + i - of.first);
        const auto found = std::upper_bound(ends.begin(), ends.end(), at);
        const std::uint64_t block = of.blocks[static_cast<std::size_t>(found - ends.begin())];
        const std::uint64_t begin = found == ends.begin() ? 0 : *(found - 1);
        rows.push_back((*spec_.block_starts)[block] + (at - begin));
    }
}

void EpochOrder::append(std::uint64_t first,
                        std::uint64_t count,
                        std::vector<std::uint64_t>& rows) const {
    MUSTER_ASSERT(first <= spec_.rows && count <= spec_.rows - first);
    rows.reserve(rows.size() + count);
    switch (spec_.order) {
    case Order::stored:
        rows.resize(rows.size() + count);
        std::iota(rows.end() - static_cast<std::ptrdiff_t>(count), rows.end(), first);
        return;
    case Order::shuffled:
        for (std::uint64_t i = 0; i < count; ++i) {
            rows.push_back(permutation_(first + i));
        }
        return;
    case Order::shuffled_by_block:
        break;
    }
    while (count > 0) {
        const std::uint64_t number = window_of(first);
        const Window of = window(number);
        const std::uint64_t some = std::min(count, of.first + of.rows - first);
        append_from_window(number, first, some, rows);
        first += some;
        count -= some;
    }
}

std::uint64_t EpochOrder::operator()(std::uint64_t position) const {
    std::vector<std::uint64_t> row;
    switch (spec_.order) {
    case Order::stored:
        return position;
    case Order::shuffled:
        return permutation_(position);
    default:
        append(position, 1, row);
        return row.front();
    }
}

} // namespace muster::data
