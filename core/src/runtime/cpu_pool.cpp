#include "runtime/cpu_pool.hpp"

#include <algorithm>
#include <utility>

namespace muster::runtime {

CpuPool::CpuPool(std::vector<int> ids) : ids_(std::move(ids)), free_(ids_.size(), true) {
}

std::vector<int>
CpuPool::take(std::size_t count, std::span<const int> wanted, std::span<const int> near) {
    const auto is_near = [&](int id) {
        return near.empty() || std::find(near.begin(), near.end(), id) != near.end();
    };
    std::vector<int> taken;
    if (wanted.size() == count && std::all_of(wanted.begin(), wanted.end(), [&](int id) {
            return is_free(id) && is_near(id);
        })) {
        taken.assign(wanted.begin(), wanted.end());
    } else {
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            if (free_[i]) {
                taken.push_back(ids_[i]);
            }
        }
        if (taken.size() < count) {
            return {};
        }
        std::stable_partition(taken.begin(), taken.end(), is_near);
        taken.resize(count);
    }
    mark(taken, false);
    return taken;
}

void CpuPool::give_back(std::span<const int> ids) {
    mark(ids, true);
}

std::size_t CpuPool::free_count() const {
    return static_cast<std::size_t>(std::count(free_.begin(), free_.end(), true));
}

bool CpuPool::is_free(int id) const {
    const auto place = std::find(ids_.begin(), ids_.end(), id);
    return place != ids_.end() && free_[static_cast<std::size_t>(place - ids_.begin())];
}

void CpuPool::mark(std::span<const int> ids, bool free) {
    for (const int id : ids) {
        const auto place = std::find(ids_.begin(), ids_.end(), id);
        free_[static_cast<std::size_t>(place - ids_.begin())] = free;
    }
}

} // namespace muster::runtime
