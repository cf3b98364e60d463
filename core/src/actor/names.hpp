#pragma once

#include "wire/actions.hpp"

#include <map>
#include <string>

namespace muster::actor {

/// The coordinator's register of named actors. A name belongs to who claimed it first, until it is
/// freed: when the actor's constructor fails, or the last handle goes.
///
/// Pure: no MPI, threads, clock or randomness.
class Names {
public:
    void on_claim(Rank from, wire::NameClaim message, wire::Actions& actions);
    void on_wanted(Rank from, const wire::NameWanted& message, wire::Actions& actions) const;
    void on_freed(const wire::NameFreed& message);
    /// Its owner has had the name since before this coordinator's term.
    void on_held(wire::NameHeld message);

    [[nodiscard]] bool empty() const { return actors_.empty(); }

private:
    std::map<std::string, wire::NamedActor> actors_;
};

} // namespace muster::actor
