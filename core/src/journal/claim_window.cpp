#include "journal/claim_window.hpp"

#include <algorithm>

namespace muster::journal {

void ClaimWindow::set_slots(std::uint64_t slots) {
    window_min_ = std::clamp<std::uint64_t>(2 * slots, 2, window_max);
    window_ = std::max(window_, window_min_);
}

std::uint64_t ClaimWindow::room(TimePoint now, std::uint64_t running) {
    if (running > window_ / 2) {
        return 0;
    }
    if (claimed_ && now - *claimed_ < soon) {
        window_ = std::min(window_ * 2, window_max);
    } else if (claimed_ && now - *claimed_ > late) {
        window_ = std::max(window_ / 2, window_min_);
    }
    claimed_ = now;
    return window_ - std::min(window_, running);
}

} // namespace muster::journal
