#include "sched/policy.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace muster::sched {
namespace {

/// Places bundles one after the other; what it has given away is off its own copy of the room.
class Placer {
public:
    explicit Placer(const BundleView& view) : view_(view), room_(view.room), places_(view.placed) {
        for (std::size_t b = 0; b < places_.size(); ++b) {
            if (places_[b]) {
                ++on_rank_[*places_[b]];
                ++on_node_[node_of(*places_[b])];
            } else {
                wanted_.push_back(b);
            }
        }
        // What is hard to place chooses first.
        std::stable_sort(wanted_.begin(), wanted_.end(), [&](std::size_t a, std::size_t b) {
            const Resources& one = view.bundles[a];
            const Resources& other = view.bundles[b];
            return std::tie(one.gpus, one.cpus, one.memory, one.custom) >
                   std::tie(other.gpus, other.cpus, other.memory, other.custom);
        });
        std::map<NodeId, std::vector<Rank>> nodes;
        for (std::int32_t i = 0; i < view.ranks.size(); ++i) {
            if (view.ranks.at(Rank{i}).present && !view.excluded[static_cast<std::size_t>(i)]) {
                nodes[node_of(Rank{i})].push_back(Rank{i});
            }
        }
        for (auto& [node, ranks] : nodes) {
            nodes_.emplace_back(node, std::move(ranks));
        }
    }

    [[nodiscard]] NodeId node_of(Rank rank) const { return view_.ranks.at(rank).node; }

    [[nodiscard]] const std::vector<std::size_t>& wanted() const { return wanted_; }

    [[nodiscard]] const std::vector<std::pair<NodeId, std::vector<Rank>>>& nodes() const {
        return nodes_;
    }

    [[nodiscard]] std::int64_t on_node(NodeId node) const {
        const auto place = on_node_.find(node);
        return place == on_node_.end() ? 0 : place->second;
    }

    /// Of `ranks` the one with fewest bundles of the group, and then most CPUs, that has room.
    [[nodiscard]] std::optional<Rank> freest(std::size_t bundle,
                                             const std::vector<Rank>& ranks) const {
        std::optional<Rank> best;
        for (const Rank rank : ranks) {
            if (room(rank).fits(view_.bundles[bundle]) && (!best || better(rank, *best))) {
                best = rank;
            }
        }
        return best;
    }

    void place(std::size_t bundle, Rank rank) {
        places_[bundle] = rank;
        room_[static_cast<std::size_t>(index(rank))].take(view_.bundles[bundle]);
        ++on_rank_[rank];
        ++on_node_[node_of(rank)];
        std::erase(wanted_, bundle);
    }

    using Places = std::vector<std::pair<std::size_t, Rank>>;

    void place(const Places& places) {
        for (const auto& [bundle, rank] : places) {
            place(bundle, rank);
        }
    }

    /// As many of the wanted bundles as the ranks hold: each on the one with fewest bundles or,
    /// `tightly`, with the least room.
    [[nodiscard]] Places fill(const std::vector<Rank>& ranks, bool tightly) const {
        std::vector<Room> room;
        std::vector<std::int64_t> bundles;
        for (const Rank rank : ranks) {
            room.push_back(this->room(rank));
            bundles.push_back(count(rank));
        }
        Places places;
        for (const std::size_t bundle : wanted_) {
            std::optional<std::size_t> best;
            for (std::size_t i = 0; i < ranks.size(); ++i) {
                const auto goes_before = [&](std::size_t other) {
                    return tightly ? room[i].amounts.cpus < room[other].amounts.cpus
                           : bundles[i] != bundles[other]
                               ? bundles[i] < bundles[other]
                               : room[i].amounts.cpus > room[other].amounts.cpus;
                };
                if (room[i].fits(view_.bundles[bundle]) && (!best || goes_before(*best))) {
                    best = i;
                }
            }
            if (best) {
                room[*best].take(view_.bundles[bundle]);
                ++bundles[*best];
                places.emplace_back(bundle, ranks[*best]);
            }
        }
        return places;
    }

    [[nodiscard]] std::optional<std::vector<Rank>> result() const {
        if (!wanted_.empty()) {
            return std::nullopt;
        }
        std::vector<Rank> ranks;
        for (const auto& rank : places_) {
            ranks.push_back(*rank);
        }
        return ranks;
    }

private:
    [[nodiscard]] const Room& room(Rank rank) const {
        return room_[static_cast<std::size_t>(index(rank))];
    }

    [[nodiscard]] std::int64_t count(Rank rank) const {
        const auto place = on_rank_.find(rank);
        return place == on_rank_.end() ? 0 : place->second;
    }

    [[nodiscard]] bool better(Rank one, Rank other) const {
        return count(one) != count(other) ? count(one) < count(other)
                                          : room(one).amounts.cpus > room(other).amounts.cpus;
    }

    const BundleView& view_;
    std::vector<Room> room_;
    std::vector<std::optional<Rank>> places_;
    std::vector<std::size_t> wanted_;
    std::vector<std::pair<NodeId, std::vector<Rank>>> nodes_;
    std::map<Rank, std::int64_t> on_rank_;
    std::map<NodeId, std::int64_t> on_node_;
};

/// All on one node: that of the bundles that lie already, else the one with the least room that
/// holds them, so that large ones stay whole.
std::optional<std::vector<Rank>> pick_one_node(const BundleView& view) {
    Placer placer(view);
    Placer::Places best;
    std::optional<Amount> best_room;
    const bool bound = placer.wanted().size() < view.bundles.size();
    for (const auto& [node, ranks] : placer.nodes()) {
        if (bound && placer.on_node(node) == 0) {
            continue;
        }
        Amount room;
        for (const Rank rank : ranks) {
            room += view.room[static_cast<std::size_t>(index(rank))].amounts.cpus;
        }
        for (const bool tightly : {false, true}) {
            auto places = placer.fill(ranks, tightly);
            if (places.size() == placer.wanted().size() && (!best_room || room < *best_room)) {
                best = std::move(places);
                best_room = room;
            }
        }
    }
    placer.place(best);
    return placer.result();
}

/// One node after the other: those first that hold some already, then those that hold most.
std::optional<std::vector<Rank>> pick_few_nodes(const BundleView& view) {
    Placer placer(view);
    while (!placer.wanted().empty()) {
        Placer::Places best;
        std::pair<bool, std::size_t> best_key;
        for (const auto& [node, ranks] : placer.nodes()) {
            auto places = placer.fill(ranks, true);
            const std::pair<bool, std::size_t> key{placer.on_node(node) > 0, places.size()};
            if (!places.empty() && (best.empty() || key > best_key)) {
                best = std::move(places);
                best_key = key;
            }
        }
        if (best.empty()) {
            return std::nullopt;
        }
        placer.place(best);
    }
    return placer.result();
}

/// Each where the fewest are.
std::optional<std::vector<Rank>> pick_many_nodes(const BundleView& view) {
    Placer placer(view);
    for (const std::size_t bundle : std::vector<std::size_t>(placer.wanted())) {
        std::optional<Rank> best;
        for (const auto& [node, ranks] : placer.nodes()) {
            const auto rank = placer.freest(bundle, ranks);
            if (rank && (!best || placer.on_node(node) < placer.on_node(placer.node_of(*best)))) {
                best = rank;
            }
        }
        if (!best) {
            return std::nullopt;
        }
        placer.place(bundle, *best);
    }
    return placer.result();
}

/// Each on a node of its own: a matching of bundles with nodes, along augmenting paths, so that
/// none is missed. Source: Kuhn, Naval Research Logistics Quarterly 2, 1955.
class NodeMatching {
public:
    NodeMatching(const Placer& placer, std::size_t bundles)
        : placer_(placer), bundle_on_(placer.nodes().size()), node_of_(bundles) {}

    bool match(std::size_t bundle) {
        seen_.assign(bundle_on_.size(), false);
        return augment(bundle);
    }

    [[nodiscard]] std::optional<Rank> rank_of(std::size_t bundle) const {
        const auto node = node_of_[bundle];
        return node ? placer_.freest(bundle, placer_.nodes()[*node].second) : std::nullopt;
    }

private:
    bool augment(std::size_t bundle) {
        for (std::size_t n = 0; n < bundle_on_.size(); ++n) {
            const auto& [node, ranks] = placer_.nodes()[n];
            if (seen_[n] || placer_.on_node(node) > 0 || !placer_.freest(bundle, ranks)) {
                continue;
            }
            seen_[n] = true;
            if (!bundle_on_[n] || augment(*bundle_on_[n])) {
                bundle_on_[n] = bundle;
                node_of_[bundle] = n;
                return true;
            }
        }
        return false;
    }

    const Placer& placer_;
    std::vector<std::optional<std::size_t>> bundle_on_; ///< By node.
    std::vector<std::optional<std::size_t>> node_of_;   ///< By bundle.
    std::vector<bool> seen_;
};

std::optional<std::vector<Rank>> pick_own_nodes(const BundleView& view) {
    Placer placer(view);
    NodeMatching matching(placer, view.bundles.size());
    for (const std::size_t bundle : placer.wanted()) {
        if (!matching.match(bundle)) {
            return std::nullopt;
        }
    }
    Placer::Places matched;
    for (const std::size_t bundle : placer.wanted()) {
        matched.emplace_back(bundle, matching.rank_of(bundle).value());
    }
    placer.place(matched);
    return placer.result();
}

} // namespace

std::optional<std::vector<Rank>> pick_bundles(const BundleView& view) {
    switch (view.strategy) {
    case Strategy::strict_pack:
        return pick_one_node(view);
    case Strategy::strict_spread:
        return pick_own_nodes(view);
    case Strategy::pack:
        if (auto one = pick_one_node(view)) {
            return one;
        }
        return pick_few_nodes(view);
    case Strategy::spread:
        if (auto many = pick_many_nodes(view)) {
            return many;
        }
        return pick_few_nodes(view);
    }
    return std::nullopt;
}

} // namespace muster::sched
