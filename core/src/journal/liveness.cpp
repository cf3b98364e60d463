#include "journal/liveness.hpp"

#include <algorithm>

namespace muster::journal {

bool Liveness::observe(TimePoint now, std::optional<bool> lock_held, std::uint64_t trace) {
    if (lock_held) {
        return *lock_held;
    }
    if (!looked_ || trace != trace_) {
        silent_ = {};
    } else {
        silent_ += std::min(now - *looked_, look_max);
    }
    looked_ = now;
    trace_ = trace;
    return silent_ < silence_max_;
}

} // namespace muster::journal
