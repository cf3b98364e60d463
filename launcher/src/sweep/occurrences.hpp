#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace muster::launcher::sweep {

/// Counts how often each of many numbers came: hashes, so that their low bits are as good as any.
/// Open addressing, since a sweep of a million commands asks a million times.
class Occurrences {
public:
    /// @return how often it has come, this time included.
    std::uint32_t add(std::uint64_t hash) {
        if (2 * (used_ + 1) > slots_.size()) {
            grow();
        }
        Slot& slot = find(hash);
        used_ += slot.count == 0 ? 1U : 0U;
        slot.hash = hash;
        return ++slot.count;
    }

private:
    struct Slot {
        std::uint64_t hash = 0;
        std::uint32_t count = 0; ///< 0: free.
    };

    Slot& find(std::uint64_t hash) {
        std::size_t place = hash & (slots_.size() - 1);
        while (slots_[place].count != 0 && slots_[place].hash != hash) {
            place = (place + 1) & (slots_.size() - 1);
        }
        return slots_[place];
    }

    void grow() {
        constexpr std::size_t first_size = 1024;
        auto old = std::exchange(
            slots_, std::vector<Slot>(slots_.empty() ? first_size : 4 * slots_.size()));
        for (const Slot& slot : old) {
            if (slot.count != 0) {
                find(slot.hash) = slot;
            }
        }
    }

    std::vector<Slot> slots_; ///< A power of two.
    std::size_t used_ = 0;
};

} // namespace muster::launcher::sweep
