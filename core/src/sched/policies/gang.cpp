#include "sched/policy.hpp"

#include <algorithm>
#include <map>

namespace muster::sched {
namespace {

struct Seat {
    Rank rank{};
    std::int64_t room = 0; ///< Members that fit there now.
    Amount free_cpus;
};

struct Node {
    NodeId id{};
    std::int64_t room = 0;
    std::vector<Seat> seats;
};

std::vector<Node> nodes_with_room(const PlacementView& view,
                                  std::int64_t per_rank_max,
                                  const std::vector<bool>& busy) {
    std::map<NodeId, Node> nodes;
    for (std::int32_t i = 0; i < view.ranks.size(); ++i) {
        const Rank rank{i};
        if (busy[static_cast<std::size_t>(i)] || !can_open(view, rank) ||
            !eligible(view.ranks, view.demand, view.placement, rank)) {
            continue;
        }
        const auto& entry = view.ranks.at(rank);
        const auto used = view.usage[static_cast<std::size_t>(i)].slots;
        const std::int64_t room = entry.times_fitting(
            view.demand, std::min(per_rank_max, view.slots_per_rank_max - used));
        Node& node = nodes[entry.node];
        node.id = entry.node;
        node.room += room;
        node.seats.push_back({rank, room, entry.free.cpus});
    }
    std::vector<Node> found;
    for (auto& [id, node] : nodes) {
        found.push_back(std::move(node));
    }
    return found;
}

/// Moves the best of `nodes` for `wanted` members to the front: the tightest that holds them all,
/// else the roomiest.
void bring_best_to_front(std::vector<Node>& nodes, std::int64_t wanted) {
    const auto better = [&](const Node& a, const Node& b) {
        const bool a_holds = a.room >= wanted;
        const bool b_holds = b.room >= wanted;
        if (a_holds != b_holds) {
            return a_holds;
        }
        return a.room != b.room ? (a.room < b.room) == a_holds : a.id < b.id;
    };
    std::iter_swap(nodes.begin(), std::min_element(nodes.begin(), nodes.end(), better));
}

/// One rank after the other, the freest first, so that few members share one.
void seat_members(Node& node, std::int64_t wanted, std::vector<Rank>& members) {
    std::stable_sort(node.seats.begin(), node.seats.end(), [](const Seat& a, const Seat& b) {
        return a.free_cpus > b.free_cpus;
    });
    std::vector<Rank> seated;
    for (std::int64_t round = 0; static_cast<std::int64_t>(seated.size()) < wanted; ++round) {
        for (const Seat& seat : node.seats) {
            if (round < seat.room && static_cast<std::int64_t>(seated.size()) < wanted) {
                seated.push_back(seat.rank);
            }
        }
    }
    std::sort(seated.begin(), seated.end());
    members.insert(members.end(), seated.begin(), seated.end());
}

} // namespace

std::vector<Rank> pick_gang(const PlacementView& view,
                            std::int32_t members,
                            bool distinct,
                            const std::vector<bool>& busy) {
    auto nodes = nodes_with_room(view, distinct ? 1 : members, busy);
    std::int64_t room = 0;
    for (const Node& node : nodes) {
        room += node.room;
    }
    if (room < members) {
        return {};
    }
    std::vector<Node> chosen;
    std::vector<std::int64_t> shares;
    for (std::int64_t left = members; left > 0;) {
        bring_best_to_front(nodes, left);
        shares.push_back(std::min(left, nodes.front().room));
        left -= shares.back();
        chosen.push_back(std::move(nodes.front()));
        nodes.erase(nodes.begin());
    }
    std::vector<Rank> ranks;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        seat_members(chosen[i], shares[i], ranks);
    }
    return ranks;
}

} // namespace muster::sched
