#include <muster/base/assert.hpp>
#include <muster/core/detail/client.hpp>
#include <muster/core/detail/future_block.hpp>

#include <utility>

namespace muster::detail {
namespace {

// In a slot's count of handles beside the journal's, until the submitter has made its first future:
// that may come after the journal lets go.
constexpr std::uint32_t unborn = 1U << 30;

} // namespace

void CompletionQueue::notify(std::size_t index) {
    std::shared_ptr<Watcher> watcher;
    {
        const std::lock_guard lock(mutex_);
        ready_.push_back(index);
        watcher = std::move(watcher_);
    }
    changed_.notify_one();
    if (watcher) {
        watcher->notify(0);
    }
}

bool CompletionQueue::has_next() const {
    const std::lock_guard lock(mutex_);
    return !ready_.empty();
}

void CompletionQueue::watch(std::shared_ptr<Watcher> watcher) {
    {
        const std::lock_guard lock(mutex_);
        if (ready_.empty()) {
            watcher_ = std::move(watcher);
            return;
        }
    }
    watcher->notify(0);
}

void CompletionQueue::end() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    changed_.notify_all();
}

std::optional<std::size_t>
CompletionQueue::next(std::optional<std::chrono::steady_clock::time_point> deadline) {
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
      many_slots_(count == 1 ? nullptr : std::make_unique<FutureSlot[]>(count)) {
}

void FutureBlock::acquire(std::uint64_t index) noexcept {
    auto& handles = slot(index).handles;
    if (handles.fetch_add(1, std::memory_order_relaxed) >= unborn) {
        handles.fetch_sub(unborn, std::memory_order_relaxed);
    }
}

void FutureBlock::release(std::uint64_t index) noexcept {
    FutureSlot& slot = this->slot(index);
    if (slot.handles.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        // Others of the block may live for long. Before there is a value the progress thread may
        // write, and it does not once the owner has heard.
        const SlotState state = slot.state.load(std::memory_order_acquire);
        if (state == SlotState::value) {
            slot.value = Buffer();
        } else if (state == SlotState::failed) {
            slot.failure.reset();
        }
        client_->release(id(index));
    }
}

void FutureBlock::set_keys(std::vector<KeyDigest> keys) {
    MUSTER_ASSERT(keys.size() == count_);
    keys_ = std::move(keys);
    held_.resize(keys_.size());
}

void FutureBlock::hold(std::uint64_t index) {
    slot(index).handles = unborn + 1;
    held_[index] = 1;
}

bool FutureBlock::let_go(std::uint64_t index) {
    if (held_.empty() || std::exchange(held_[index], std::uint8_t{0}) == 0) {
        return false;
    }
    release(index);
    return true;
}

std::optional<KeyDigest> FutureBlock::input_digest(std::uint64_t index) {
    if (const KeyDigest* own = key(index)) {
        return *own;
    }
    if (!stored_) {
        return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    const auto value = slot(index).value.bytes();
    if (!stored_digest_ && !names_objects(value, client_->run_id())) {
        stored_digest_ = digest(value);
    }
    return stored_digest_;
}

void FutureBlock::resolve(std::uint64_t index, SlotState state) {
    MUSTER_ASSERT(index < count_);
    FutureSlot& slot = this->slot(index);
    slot.state.store(state, std::memory_order_seq_cst);
    slot.state.notify_all();
    // Paired with add(): either it sees the new state, or its entry is seen here.
    if (!watched_.load(std::memory_order_seq_cst)) {
        return;
    }
    bool value_wanted = false;
    {
        const std::lock_guard lock(mutex_);
        auto [entry, end] = watchers_.equal_range(index);
        while (entry != end) {
            if (state == SlotState::kept_elsewhere && entry->second.wants_value) {
                value_wanted = true;
                ++entry;
            } else {
                entry->second.watcher->notify(entry->second.tag);
                entry = watchers_.erase(entry);
            }
        }
    }
    if (value_wanted) {
        client_->want_value(*this, index);
    }
}

void FutureBlock::watch(std::uint64_t index, std::shared_ptr<Watcher> watcher, std::size_t tag) {
    add(index, {std::move(watcher), tag, false});
}

void FutureBlock::watch_value(std::uint64_t index,
                              std::shared_ptr<Watcher> watcher,
                              std::size_t tag) {
    add(index, {std::move(watcher), tag, true});
}

void FutureBlock::add(std::uint64_t index, Entry entry) {
    bool value_wanted = false;
    {
        const std::lock_guard lock(mutex_);
        watched_.store(true, std::memory_order_seq_cst);
        const SlotState state = slot(index).state.load(std::memory_order_seq_cst);
        value_wanted = state == SlotState::kept_elsewhere && entry.wants_value;
        if (state != SlotState::pending && !value_wanted) {
            entry.watcher->notify(entry.tag);
            return;
        }
        watchers_.emplace(index, std::move(entry));
    }
    if (value_wanted) {
        client_->want_value(*this, index);
    }
}

} // namespace muster::detail
