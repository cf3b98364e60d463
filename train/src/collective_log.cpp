#include <muster/train/collective_log.hpp>

#include <algorithm>

namespace muster::train {

CollectiveRing::CollectiveRing() : start_(std::chrono::steady_clock::now()), records_(capacity) {
}

std::chrono::nanoseconds CollectiveRing::now() const {
    return std::chrono::steady_clock::now() - start_;
}

std::uint64_t CollectiveRing::begin(Collective kind, std::uint64_t size_bytes) {
    const auto at = now();
    const std::lock_guard lock(mutex_);
    ++begun_;
    records_[begun_ % capacity] = {begun_, kind, phase_, size_bytes, at, std::nullopt};
    oldest_open_ = std::max(oldest_open_, begun_ < capacity ? 1 : begun_ - capacity + 1);
    return begun_;
}

void CollectiveRing::end(std::uint64_t number) noexcept {
    const auto at = now();
    const std::lock_guard lock(mutex_);
    CollectiveRecord& record = records_[number % capacity];
    if (record.number == number) { // and not one that took its place
        record.ended = at;
    }
    while (oldest_open_ <= begun_ && records_[oldest_open_ % capacity].ended) {
        ++oldest_open_;
    }
    phase_since_ = at;
}

void CollectiveRing::phase(Phase phase) {
    const auto at = now();
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    phase_since_ = at;
}

Standing CollectiveRing::standing() const {
    const auto at = now();
    const std::lock_guard lock(mutex_);
    Standing standing{begun_, phase_, at - phase_since_, std::nullopt, {}};
    if (oldest_open_ <= begun_) {
        standing.waits_in = records_[oldest_open_ % capacity];
        standing.waiting = at - standing.waits_in->begun;
    }
    return standing;
}

std::vector<CollectiveRecord> CollectiveRing::last(std::size_t count) const {
    const std::lock_guard lock(mutex_);
    std::vector<CollectiveRecord> result;
    const std::uint64_t kept = std::min<std::uint64_t>({begun_, capacity, count});
    for (std::uint64_t number = begun_ - kept + 1; number <= begun_; ++number) {
        result.push_back(records_[number % capacity]);
    }
    return result;
}

} // namespace muster::train
