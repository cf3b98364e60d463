#include "owner/copies.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <optional>

namespace muster::owner {
namespace {

constexpr std::size_t below_each = 2;

bool share_node(Rank a, Rank b, const std::vector<NodeId>& nodes) {
    const auto node = [&](Rank rank) {
        const auto i = static_cast<std::size_t>(index(rank));
        return i < nodes.size() ? std::optional(nodes[i]) : std::nullopt;
    };
    return a == b || (node(a) && node(a) == node(b));
}

} // namespace

bool Copies::add(Rank rank, const std::vector<NodeId>& nodes) {
    if (!ranks_.insert(rank).second) {
        return false;
    }
    const bool has_head = std::any_of(
        heads_.begin(), heads_.end(), [&](Rank head) { return share_node(head, rank, nodes); });
    if (!has_head) {
        heads_.push_back(rank);
    }
    return true;
}

void Copies::remove(Rank rank) {
    ranks_.erase(rank);
    std::erase(heads_, rank);
}

Rank Copies::source(Rank reader, Rank holder, const std::vector<NodeId>& nodes) const {
    if (share_node(reader, holder, nodes)) {
        return holder;
    }
    const auto head = std::find_if(heads_.begin(), heads_.end(), [&](Rank candidate) {
        return share_node(candidate, reader, nodes);
    });
    if (head == heads_.end()) {
        return holder; // the node's first is lost
    }
    if (*head != reader) {
        return *head;
    }
    // As in a heap: the holder at 0, this head at its place in the order and one.
    const auto above = static_cast<std::size_t>(head - heads_.begin()) / below_each;
    return above == 0 ? holder : heads_[above - 1];
}

} // namespace muster::owner
