#include "loader_engine.hpp"

#include "table_check.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace muster::data {
namespace {

constexpr int threads_max = 4;

int thread_count(int wanted) {
    if (wanted >= 0) {
        return wanted;
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    const int count = ::sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return std::clamp(count, 1, threads_max);
}

/// Of the columns that are read, the one with the longest rows: the others are small beside it.
std::size_t longest(const Table& table, const std::vector<ColumnSpec>& specs) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < specs.size(); ++i) {
        if (table.column(specs[i].name).row_bytes() > table.column(specs[best].name).row_bytes()) {
            best = i;
        }
    }
    return best;
}

/// Blocks of a part: positions whose rows lie in one block of the table.
std::vector<std::uint64_t> block_starts_of_part(const std::vector<std::uint64_t>& starts,
                                                const std::vector<std::uint64_t>& rows) {
    std::vector<std::uint64_t> result;
    auto block = starts.begin();
    for (std::uint64_t position = 0; position < rows.size(); ++position) {
        const auto of = std::upper_bound(block, starts.end(), rows[position]) - 1;
        if (position == 0 || of != block) {
            result.push_back(position);
        }
        block = of;
    }
    return result;
}

template <class T>
void replace_nan(std::span<T> values, T replacement) {
    for (T& value : values) {
        value = std::isnan(value) ? replacement : value;
    }
}

template <class T>
std::size_t first_nan(std::span<const T> values) {
    return static_cast<std::size_t>(
        std::find_if(values.begin(), values.end(), [](T value) { return std::isnan(value); }) -
        values.begin());
}

} // namespace

BatchPlan LoaderEngine::make_plan(const Table& table,
                                  const std::vector<ColumnSpec>& columns,
                                  BatchOptions& options) {
    std::optional<std::vector<std::uint64_t>>& rows = options.rows;
    if (columns.empty()) {
        throw UsageError(
            fmt::format("'{}': no column was named to be read; name at least one", table.file()));
    }
    for (const ColumnSpec& spec : columns) {
        check::matches(table.file(), table.column(spec.name), spec);
        if (size_bytes(spec.read_as) == 0) {
            throw UsageError(
                fmt::format("'{}': column '{}' is to be in batches, which have numbers only; "
                            "name a type, as in column<float>(\"{}\"), or read strings with "
                            "read_strings()",
                            table.file(),
                            spec.name,
                            spec.name));
        }
    }
    OrderSpec order{.rows = rows ? rows->size() : table.rows(),
                    .seed = options.seed,
                    .order = options.order,
                    .block_starts = nullptr,
                    .window_blocks = options.window_blocks};
    if (rows) {
        if (options.order != Order::shuffled) {
            std::sort(rows->begin(), rows->end());
        }
        for (const std::uint64_t row : *rows) {
            check::range(table.file(), table.columns().front(), row, 1);
        }
    }
    if (options.order == Order::shuffled_by_block) {
        auto starts = table.block_starts(columns[longest(table, columns)].name);
        order.block_starts = std::make_shared<const std::vector<std::uint64_t>>(
            rows ? block_starts_of_part(starts, *rows) : std::move(starts));
    }
    return BatchPlan(std::move(order), options.batch_size, options.shard, options.tail);
}

LoaderEngine::LoaderEngine(Table table,
                           const std::vector<ColumnSpec>& columns,
                           BatchOptions options)
    : reader_(table.reader_), options_(std::move(options)),
      plan_(make_plan(table, columns, options_)) {
    options_.prefetch = std::max<std::uint64_t>(options_.prefetch, 1);
    options_.threads = thread_count(options_.threads);
    detail::BatchLayout layout;
    layout.table = table.file();
    // The largest piece of any rank: a batch may be larger than the part.
    layout.rows_max = (plan_.batch_size() + plan_.shard().world - 1) / plan_.shard().world;
    if (options_.tail != Tail::pad) {
        layout.rows_max = std::min(layout.rows_max, plan_.order_spec().rows);
    }
    for (const ColumnSpec& spec : columns) {
        const Column& column = table.column(spec.name);
        const auto index = static_cast<std::size_t>(&column - table.columns().data());
        layout.columns.push_back({column.name,
                                  index,
                                  spec.read_as,
                                  column.row_elements(),
                                  column.row_elements() * size_bytes(spec.read_as)});
    }
    main_column_ = layout.columns[longest(table, columns)].index;
    by_block_ = options_.order == Order::shuffled_by_block;
    pool_ = std::make_shared<detail::BatchPool>(std::move(layout));
    if (by_block_) {
        check_window(table);
    }
    const std::uint64_t batches = plan_.batches();
    if (__builtin_mul_overflow(batches, options_.epochs, &steps_)) {
        steps_ = std::numeric_limits<std::uint64_t>::max();
    }
    given_ = taken_ = options_.first_step;
    ahead_.resize(options_.prefetch);
}

/// Two windows of blocks are in memory at once; of columns with shorter rows a few blocks serve
/// many.
void LoaderEngine::check_window(const Table& table) const {
    const std::uint64_t window = std::min<std::uint64_t>(2 * options_.window_blocks,
                                                         plan_.order_spec().block_starts->size());
    std::uint64_t slots = 0;
    for (const detail::BatchLayout::Column& column : pool_->layout().columns) {
        slots += std::min<std::uint64_t>(window, table.block_starts(column.name).size());
    }
    if (slots <= reader_->cache()->slots()) {
        return;
    }
    constexpr std::uint64_t mebibyte = 1U << 20U;
    throw UsageError(fmt::format("'{}': shuffling {} blocks at a time needs {} MiB for decoded "
                                 "chunks, but memory_bytes_max is "
                                 "{} MiB; raise it when opening the table, or lower window_blocks",
                                 table.file(),
                                 options_.window_blocks,
                                 (slots * reader_->slot_bytes() + mebibyte - 1) / mebibyte,
                                 reader_->cache_bytes_max() / mebibyte));
}

LoaderEngine::~LoaderEngine() {
    stop();
}

void LoaderEngine::start() {
    for (int i = 0; i < options_.threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

void LoaderEngine::stop() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    room_.notify_all();
    threads_.clear(); // joins
    is_stopping_ = false;
}

void LoaderEngine::seek(std::uint64_t step) {
    stop();
    given_ = taken_ = step;
    failure_ = nullptr;
    for (Ahead& ahead : ahead_) {
        ahead = {};
    }
}

void LoaderEngine::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        room_.wait(lock, [&] {
            return is_stopping_ || (taken_ < steps_ && taken_ < given_ + options_.prefetch);
        });
        if (is_stopping_) {
            return;
        }
        const std::uint64_t step = taken_++;
        lock.unlock();
        Ahead done;
        try {
            done.batch.emplace(read(step));
        } catch (...) {
            done.failure = std::current_exception();
        }
        lock.lock();
        ahead_[step % options_.prefetch] = std::move(done);
        if (step == given_) {
            ready_.notify_one();
        }
    }
}

std::optional<Batch> LoaderEngine::next() {
    if (plan_.batches() == 0) {
        return std::nullopt;
    }
    std::unique_lock lock(mutex_);
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    if (given_ >= steps_) {
        return std::nullopt;
    }
    if (options_.threads == 0) {
        lock.unlock();
        try {
            std::optional<Batch> batch(read(given_));
            ++given_;
            return batch;
        } catch (...) {
            failure_ = std::current_exception();
            throw;
        }
    }
    if (threads_.empty()) {
        start();
    }
    Ahead& wanted = ahead_[given_ % options_.prefetch];
    ready_.wait(lock, [&] { return wanted.batch || wanted.failure; });
    if (wanted.failure) {
        failure_ = wanted.failure;
        lock.unlock();
        stop();
        std::rethrow_exception(failure_);
    }
    std::optional<Batch> batch = std::move(wanted.batch);
    wanted.batch.reset();
    ++given_;
    lock.unlock();
    room_.notify_one();
    return batch;
}

std::shared_ptr<const EpochOrder> LoaderEngine::order(std::uint64_t epoch) {
    const std::lock_guard lock(orders_mutex_);
    for (const auto& [number, order] : orders_) {
        if (number == epoch) {
            return order;
        }
    }
    constexpr std::size_t kept = 3;
    if (orders_.size() == kept) {
        orders_.erase(orders_.begin());
    }
    orders_.emplace_back(epoch, std::make_shared<const EpochOrder>(plan_.order(epoch)));
    return orders_.back().second;
}

void LoaderEngine::load_blocks(const EpochOrder& order,
                               std::uint64_t window,
                               std::uint64_t first_block,
                               std::uint64_t end_block) {
    const EpochOrder::Window of = order.window(window);
    const std::vector<std::uint64_t>& starts = *plan_.order_spec().block_starts;
    for (std::uint64_t i = first_block; i < std::min<std::uint64_t>(end_block, of.blocks.size());
         ++i) {
        const std::uint64_t position = starts[of.blocks[i]];
        reader_->load_block(main_column_, options_.rows ? (*options_.rows)[position] : position);
    }
}

/// A batch's share of the next window: as much of it as the batch is of its own.
void LoaderEngine::load_next_window(const EpochOrder& order,
                                    Position at,
                                    const EpochOrder* next_epoch) {
    const std::uint64_t begin = at.batch * plan_.batch_size();
    const std::uint64_t end = std::min(begin + plan_.batch_size(), order.rows());
    const std::uint64_t number = order.window_of(begin);
    const EpochOrder::Window now = order.window(number);
    const EpochOrder* const from = number + 1 < order.windows() ? &order : next_epoch;
    if (from == nullptr) {
        return;
    }
    const std::uint64_t next = from == &order ? number + 1 : 0;
    const std::uint64_t blocks = from->window(next).blocks.size();
    const auto share = [&](std::uint64_t position) {
        return (std::min(position, now.first + now.rows) - now.first) * blocks / now.rows;
    };
    load_blocks(*from, next, share(begin), share(end));
}

Batch LoaderEngine::read(std::uint64_t step) {
    const Position at = plan_.position(step);
    const auto order_of_epoch = order(at.epoch);
    Batch batch(pool_, pool_->take());
    batch.step_ = step;
    batch.at_ = at;
    batch.global_size_ = plan_.batch_rows(at.batch);
    detail::BatchMemory& memory = *batch.memory_;
    plan_.indices(*order_of_epoch, at.batch, memory.rows);
    if (options_.rows) {
        for (std::uint64_t& row : memory.rows) {
            row = (*options_.rows)[row];
        }
    }
    for (std::size_t i = 0; i < memory.columns.size(); ++i) {
        const detail::BatchLayout::Column& column = pool_->layout().columns[i];
        reader_->gather(
            column.index, memory.rows, column.read_as, memory.columns[i].get(), by_block_);
        apply_nan_policy(column, memory.rows, memory.columns[i].get());
    }
    if (by_block_) {
        const bool is_last_epoch = at.epoch + 1 >= options_.epochs;
        const bool is_last_window = order_of_epoch->window_of(at.batch * plan_.batch_size()) + 1 ==
                                    order_of_epoch->windows();
        const auto next = is_last_window && !is_last_epoch ? order(at.epoch + 1) : nullptr;
        load_next_window(*order_of_epoch, at, next.get());
    }
    return batch;
}

void LoaderEngine::apply_nan_policy(const detail::BatchLayout::Column& column,
                                    std::span<const std::uint64_t> rows,
                                    std::byte* values) const {
    if (options_.nan == NanPolicy::keep) {
        return;
    }
    const std::size_t count = rows.size() * column.row_elements;
    const auto apply = [&]<class T>(T replacement) {
        const std::span<T> all(reinterpret_cast<T*>(values), count);
        if (options_.nan == NanPolicy::replace) {
            replace_nan(all, replacement);
            return;
        }
        const std::size_t found = first_nan(std::span<const T>(all));
        if (found < count) {
            throw Error(fmt::format(
                "'{}': value {} of row {} of dataset '{}' is not a number; mend the file, or set "
                "the policy for such values to keep or replace",
                pool_->layout().table,
                found % column.row_elements,
                rows[found / column.row_elements],
                column.name));
        }
    };
    if (column.read_as == ElementType::float32) {
        apply(static_cast<float>(options_.nan_replacement));
    } else if (column.read_as == ElementType::float64) {
        apply(options_.nan_replacement);
    }
}

} // namespace muster::data
