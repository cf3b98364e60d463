#include "process/tail.hpp"

#include <algorithm>
#include <utility>

namespace muster::process {

void Tail::append(std::string_view bytes) {
    seen_ += bytes.size();
    bytes.remove_prefix(bytes.size() - std::min(bytes.size(), limit_));
    kept_ += bytes;
    if (kept_.size() >= 2 * limit_) { // each byte is moved at most once
        kept_.erase(0, kept_.size() - limit_);
    }
}

std::string Tail::take() {
    if (kept_.size() > limit_) {
        kept_.erase(0, kept_.size() - limit_);
    }
    return std::exchange(kept_, {});
}

std::uint64_t Tail::dropped() const {
    return seen_ - std::min<std::uint64_t>(seen_, limit_);
}

} // namespace muster::process
