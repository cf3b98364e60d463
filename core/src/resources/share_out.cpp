#include "resources/share_out.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace muster::resources {
namespace {

/// Size of the piece that the i-th of n gets of `total`: the first `total % n` get one more.
std::size_t piece_size(std::size_t total, std::size_t n, std::size_t i) {
    return total / n + (i < total % n ? 1 : 0);
}

/// Ranks by the set of things that they may use.
template <class T>
using Groups = std::map<std::set<T>, std::vector<std::size_t>>;

template <class T>
Groups<T> group_by_set(std::span<const std::vector<T>> masks) {
    Groups<T> groups;
    for (std::size_t rank = 0; rank < masks.size(); ++rank) {
        groups[std::set<T>(masks[rank].begin(), masks[rank].end())].push_back(rank);
    }
    return groups;
}

/// Which ranks may use a thing.
template <class T>
std::map<T, std::vector<std::size_t>> contenders(std::span<const std::vector<T>> masks) {
    std::map<T, std::vector<std::size_t>> result;
    for (std::size_t rank = 0; rank < masks.size(); ++rank) {
        for (const T& thing : masks[rank]) {
            result[thing].push_back(rank);
        }
    }
    return result;
}

template <class T>
using Shares = std::vector<std::vector<T>>;

/// A contiguous piece for each rank of a group, in the order of its first rank's mask.
template <class T>
void cut(const std::vector<T>& mask, const std::vector<std::size_t>& ranks, Shares<T>& shares) {
    auto from = mask.begin();
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        const auto to =
            from + static_cast<std::ptrdiff_t>(piece_size(mask.size(), ranks.size(), i));
        shares[ranks[i]].assign(from, to);
        from = to;
    }
}

/// Each thing to the rank with the fewest among those that may use it. The least contended things
/// go first, so that a rank with alternatives has taken them when a rank without comes to choose.
template <class T>
void deal(std::span<const std::vector<T>> masks,
          const std::set<std::size_t>& ranks,
          Shares<T>& shares) {
    std::vector<std::pair<T, std::vector<std::size_t>>> things;
    for (auto& [thing, users] : contenders(masks)) {
        if (ranks.contains(users.front())) {
            things.emplace_back(thing, users);
        }
    }
    std::ranges::stable_sort(things, {}, [](const auto& thing) { return thing.second.size(); });
    for (const auto& [thing, users] : things) {
        const auto poorest = std::ranges::min_element(
            users, {}, [&](std::size_t rank) { return shares[rank].size(); });
        shares[*poorest].push_back(thing);
    }
    for (const std::size_t rank : ranks) {
        const auto position = [&](const T& thing) {
            return std::ranges::find(masks[rank], thing) - masks[rank].begin();
        };
        std::ranges::sort(shares[rank], {}, position);
    }
}

/// Every thing to exactly one of the ranks that may use it.
template <class T>
Shares<T> share(std::span<const std::vector<T>> masks) {
    Shares<T> shares(masks.size());
    const auto users_of = contenders(masks);
    std::set<std::size_t> entangled;
    for (const auto& [things, ranks] : group_by_set(masks)) {
        const bool alone = std::ranges::all_of(
            things, [&](const T& thing) { return users_of.at(thing).size() == ranks.size(); });
        if (alone) {
            cut(masks[ranks.front()], ranks, shares);
        } else {
            entangled.insert(ranks.begin(), ranks.end());
        }
    }
    if (!entangled.empty()) {
        deal(masks, entangled, shares);
    }
    return shares;
}

/// Whole CPUs of the quota for each rank; nothing where there is none.
std::vector<std::optional<std::size_t>> share_quota(std::span<const LocalResources> ranks,
                                                    std::span<const std::vector<int>> masks) {
    std::vector<std::optional<std::size_t>> result(ranks.size());
    for (const auto& [mask, members] : group_by_set(masks)) {
        std::optional<Amount> quota;
        for (const std::size_t rank : members) {
            const auto& own = ranks[rank].cpu_quota;
            if (own && (!quota || *own < *quota)) {
                quota = own;
            }
        }
        if (!quota) {
            continue;
        }
        const auto whole = std::max<std::int64_t>(1, quota->units() / Amount::units_per_one);
        for (std::size_t i = 0; i < members.size(); ++i) {
            result[members[i]] = piece_size(static_cast<std::size_t>(whole), members.size(), i);
        }
    }
    return result;
}

void share_cpus(std::span<const LocalResources> ranks, std::vector<Capacity>& capacities) {
    std::vector<std::vector<int>> masks;
    for (const LocalResources& rank : ranks) {
        // A mask that could not be read is taken as one CPU of unknown number.
        masks.push_back(rank.cpu_ids.empty() ? std::vector<int>{0} : rank.cpu_ids);
    }
    Shares<int> shares = share<int>(masks);
    const auto quotas = share_quota(ranks, masks);
    std::map<std::set<int>, std::size_t> turn;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
        Capacity& capacity = capacities[rank];
        std::size_t count = shares[rank].size();
        if (quotas[rank]) {
            count = std::min(count, *quotas[rank]);
        }
        capacity.oversubscribed = count == 0;
        capacity.cpu_ids = std::move(shares[rank]);
        if (capacity.cpu_ids.empty()) {
            const std::vector<int>& mask = masks[rank];
            std::size_t& next = turn[std::set<int>(mask.begin(), mask.end())];
            capacity.cpu_ids = {mask[next++ % mask.size()]};
        }
        capacity.resources.cpus = Amount{std::max<std::size_t>(count, 1)};
        if (const auto wanted = ranks[rank].cpus_wanted) {
            capacity.resources.cpus = Amount{*wanted};
            if (!quotas[rank] && static_cast<std::size_t>(*wanted) < capacity.cpu_ids.size()) {
                capacity.cpu_ids.resize(static_cast<std::size_t>(*wanted));
            }
        }
    }
}

/// `count` GPUs: of the share, then others that the rank sees, then indices nobody has named.
std::vector<std::string> claim_gpus(std::vector<std::string> share,
                                    const std::vector<std::string>& visible,
                                    std::size_t count) {
    const auto claim = [&](const std::string& id) {
        if (share.size() < count && std::ranges::find(share, id) == share.end()) {
            share.push_back(id);
        }
    };
    share.resize(std::min(share.size(), count));
    std::ranges::for_each(visible, claim);
    for (std::size_t index = 0; share.size() < count; ++index) {
        claim(std::to_string(index));
    }
    return share;
}

void share_gpus(std::span<const LocalResources> ranks, std::vector<Capacity>& capacities) {
    std::vector<std::vector<std::string>> lists;
    for (const LocalResources& rank : ranks) {
        lists.push_back(rank.gpus_private ? std::vector<std::string>{} : rank.gpu_ids);
    }
    Shares<std::string> shares = share<std::string>(lists);
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
        const LocalResources& local = ranks[rank];
        std::vector<std::string> ids = local.gpus_private ? local.gpu_ids : std::move(shares[rank]);
        if (local.gpus_wanted) {
            ids = claim_gpus(
                std::move(ids), local.gpu_ids, static_cast<std::size_t>(*local.gpus_wanted));
        }
        capacities[rank].resources.gpus = Amount{ids.size()};
        capacities[rank].gpu_ids = std::move(ids);
    }
}

/// As many bytes as an Amount holds: 922 TB.
Amount amount_of(Bytes bytes) {
    constexpr auto most = static_cast<std::uint64_t>(INT64_MAX / Amount::units_per_one);
    return Amount{std::min(bytes.count, most)};
}

void share_memory(std::span<const LocalResources> ranks, std::vector<Capacity>& capacities) {
    const Bytes node = std::ranges::min(ranks, {}, &LocalResources::memory).memory;
    const Bytes part{node.count / ranks.size()};
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
        const Bytes found = std::min(part, ranks[rank].process_memory_max.value_or(part));
        capacities[rank].resources.memory = amount_of(ranks[rank].memory_wanted.value_or(found));
    }
}

} // namespace

std::vector<Capacity> share_out(std::span<const LocalResources> ranks) {
    std::vector<Capacity> capacities(ranks.size());
    if (ranks.empty()) {
        return capacities;
    }
    share_cpus(ranks, capacities);
    share_gpus(ranks, capacities);
    share_memory(ranks, capacities);
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
        capacities[rank].resources.custom = ranks[rank].custom;
    }
    return capacities;
}

} // namespace muster::resources
