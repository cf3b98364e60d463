#pragma once

#include "wire/actions.hpp"

#include <map>
#include <string>
#include <vector>

namespace muster::owner {

/// The placement groups that this rank has made, until nobody has a handle of them: the truth about
/// which there are. Where their bundles lie is the coordinator's business (sched/groups.hpp).
///
/// Pure: no MPI, threads, clock or randomness.
class Groups {
public:
    /// A coordinator enters its term. It hears of the groups that live with this rank's Register.
    void on_term(Rank coordinator) { coordinator_ = coordinator; }

    void create(wire::GroupSpec spec, wire::Actions& actions);

    /// What the coordinator is to know of.
    [[nodiscard]] std::vector<wire::GroupSpec> living() const;

    /// All its bundles have a place.
    void on_placed(ObjectId group);

    /// It cannot be placed: it is gone, and what is submitted to it later fails with this reason.
    /// @return whether it lived.
    bool on_failed(const wire::GroupFailed& message);

    /// Its resources are free. @return whether it lived.
    bool remove(ObjectId group, wire::Actions& actions);

    /// The coordinator does not know it: it is told if it is gone.
    void on_asked(const wire::GroupAsked& message, wire::Actions& actions) const;

    /// Nobody has a handle any more.
    void forget(ObjectId group) { groups_.erase(group); }

    /// As errors name it.
    [[nodiscard]] std::string name(ObjectId group) const {
        const auto place = groups_.find(group);
        return place == groups_.end() ? std::string() : place->second.spec.name;
    }

    [[nodiscard]] bool knows(ObjectId group) const { return groups_.contains(group); }

    [[nodiscard]] bool empty() const { return groups_.empty(); }

private:
    struct Entry {
        wire::GroupSpec spec;
        bool lives = true;
        std::string failure; ///< Why it does not; empty: it was removed.
    };

    Rank coordinator_{};
    std::map<ObjectId, Entry> groups_;
};

} // namespace muster::owner
