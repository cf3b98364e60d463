#pragma once

#include <muster/base/ids.hpp>

#include <set>
#include <vector>

namespace muster::owner {

/// The ranks that were told to fetch one object, and from where.
///
/// A value that many nodes need goes down a tree: the holder's node is the root, and the nodes
/// follow in the order in which one of their ranks was first told, each fetching from the one
/// above, two below each. Ranks of a node fetch from the first of them. So the holder sends a value
/// at most twice (but for what goes wrong), and nobody waits for a value that comes later than his
/// own: above is who was told earlier. Whoever was told may be fetching still, or never have
/// begun; then the holder is asked instead (store::Store).
///
/// Pure.
class Copies {
public:
    /// `rank` is told to fetch it. @param nodes  By rank; where it says nothing, a rank is a node.
    /// @return whether it had not been told before.
    bool add(Rank rank, const std::vector<NodeId>& nodes);

    /// The rank is lost.
    void remove(Rank rank);

    /// Whom `reader`, who was added, is to ask first.
    [[nodiscard]] Rank source(Rank reader, Rank holder, const std::vector<NodeId>& nodes) const;

    [[nodiscard]] const std::set<Rank>& ranks() const { return ranks_; }

private:
    std::set<Rank> ranks_;
    std::vector<Rank> heads_; ///< The first of each node, in the order told.
};

} // namespace muster::owner
