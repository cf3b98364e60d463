#include "arena/extents.hpp"

#include <muster/base/assert.hpp>

namespace muster::arena {

Extents::Extents(std::uint64_t begin, std::uint64_t end) {
    MUSTER_ASSERT(begin <= end);
    if (begin < end) {
        insert({begin, end - begin, false});
    }
}

void Extents::insert(const Extent& extent) {
    free_.emplace(extent.offset, Free{extent.size, extent.warm});
    by_size(extent.warm).emplace(extent.size, extent.offset);
    free_bytes_ += extent.size;
    warm_bytes_ += extent.warm ? extent.size : 0;
}

Extent Extents::remove(Place place) {
    const Extent extent{place->first, place->second.size, place->second.warm};
    by_size(extent.warm).erase({extent.size, extent.offset});
    free_.erase(place);
    free_bytes_ -= extent.size;
    warm_bytes_ -= extent.warm ? extent.size : 0;
    return extent;
}

std::optional<Extent> Extents::take(std::uint64_t size) {
    MUSTER_ASSERT(size > 0);
    for (const bool warm : {true, false}) {
        const auto fit = by_size(warm).lower_bound({size, 0});
        if (fit == by_size(warm).end()) {
            continue;
        }
        Extent extent = remove(free_.find(fit->second));
        if (extent.size > size) {
            insert({extent.offset + size, extent.size - size, extent.warm});
            extent.size = size;
        }
        return extent;
    }
    return std::nullopt;
}

std::optional<Extent> Extents::take_warm() {
    if (warm_by_size_.empty()) {
        return std::nullopt;
    }
    return remove(free_.find(warm_by_size_.rbegin()->second));
}

void Extents::give_back(Extent extent) {
    MUSTER_ASSERT(extent.size > 0);
    const auto next = free_.lower_bound(extent.offset);
    if (next != free_.end()) {
        MUSTER_ASSERT(extent.offset + extent.size <= next->first);
    }
    if (next != free_.begin()) {
        const auto last = std::prev(next);
        MUSTER_ASSERT(last->first + last->second.size <= extent.offset);
        if (last->second.warm == extent.warm && last->first + last->second.size == extent.offset) {
            const Extent before = remove(last);
            extent.offset = before.offset;
            extent.size += before.size;
        }
    }
    if (next != free_.end() && next->second.warm == extent.warm &&
        next->first == extent.offset + extent.size) {
        extent.size += remove(next).size;
    }
    insert(extent);
}

void Extents::check_invariants() const {
    std::uint64_t free = 0;
    std::uint64_t warm = 0;
    const std::pair<const std::uint64_t, Free>* last = nullptr;
    for (const auto& place : free_) {
        const auto& [offset, extent] = place;
        MUSTER_ASSERT(extent.size > 0);
        MUSTER_ASSERT(last == nullptr || last->first + last->second.size <= offset);
        MUSTER_ASSERT(last == nullptr || last->first + last->second.size < offset ||
                      last->second.warm != extent.warm);
        MUSTER_ASSERT(
            (extent.warm ? warm_by_size_ : cold_by_size_).contains({extent.size, offset}));
        free += extent.size;
        warm += extent.warm ? extent.size : 0;
        last = &place;
    }
    MUSTER_ASSERT(free == free_bytes_ && warm == warm_bytes_);
    MUSTER_ASSERT(free_.size() == warm_by_size_.size() + cold_by_size_.size());
}

} // namespace muster::arena
