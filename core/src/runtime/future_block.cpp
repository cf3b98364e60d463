#include <muster/base/assert.hpp>
#include <muster/core/detail/client.hpp>
#include <muster/core/detail/future_block.hpp>

namespace muster::detail {

void Watcher::notify(std::size_t index) {
    {
        const std::lock_guard lock(mutex_);
        ready_.push_back(index);
    }
    changed_.notify_one();
}

void Watcher::end() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    changed_.notify_all();
}

std::optional<std::size_t>
Watcher::next(std::optional<std::chrono::steady_clock::time_point> deadline) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return !ready_.empty() || ended_; };
    if (deadline) {
        if (*deadline != std::chrono::steady_clock::time_point::min()) {
            changed_.wait_until(lock, *deadline, ready);
        }
    } else {
        changed_.wait(lock, ready);
    }
    if (ready_.empty()) {
        return std::nullopt;
    }
    const std::size_t index = ready_.front();
    ready_.pop_front();
    return index;
}

FutureBlock::FutureBlock(std::shared_ptr<Client> client,
                         ObjectId first,
                         std::uint64_t count,
                         std::uint64_t stride)
    : client_(std::move(client)), first_(first), count_(count), stride_(stride),
      slots_(std::make_unique<FutureSlot[]>(count)) {
}

void FutureBlock::acquire(std::uint64_t index) noexcept {
    slots_[index].handles.fetch_add(1, std::memory_order_relaxed);
}

void FutureBlock::release(std::uint64_t index) noexcept {
    if (slots_[index].handles.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        client_->release(id(index));
    }
}

void FutureBlock::resolve(std::uint64_t index, SlotState state) {
    MUSTER_ASSERT(index < count_);
    FutureSlot& slot = slots_[index];
    const SlotState before = slot.state.exchange(state, std::memory_order_seq_cst);
    slot.state.notify_all();
    // Paired with watch(): either it sees the new state, or its entry is seen here.
    if (before == SlotState::pending && watched_.load(std::memory_order_seq_cst)) {
        const std::lock_guard lock(mutex_);
        const auto [begin, end] = watchers_.equal_range(index);
        for (auto entry = begin; entry != end; ++entry) {
            entry->second.first->notify(entry->second.second);
        }
        watchers_.erase(begin, end);
    }
}

void FutureBlock::watch(std::uint64_t index, std::shared_ptr<Watcher> watcher, std::size_t tag) {
    const std::lock_guard lock(mutex_);
    watched_.store(true, std::memory_order_seq_cst);
    if (slots_[index].state.load(std::memory_order_seq_cst) != SlotState::pending) {
        watcher->notify(tag);
        return;
    }
    watchers_.emplace(index, std::pair{std::move(watcher), tag});
}

} // namespace muster::detail
