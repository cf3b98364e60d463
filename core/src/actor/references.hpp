#pragma once

#include "wire/actions.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::actor {

/// Who has handles of which actor: what decides how long an actor lives.
///
/// Each rank counts what holds an actor there: handles, calls that are not done, and handles inside
/// arguments and stored objects. The rank's first is told to the actor's owner (ActorBorrow) and
/// its last one's end, too (ActorReleased). When the owner itself holds none and no rank has any,
/// the actor is destroyed; unless it was made for the *job*, and lives until the run ends. One that
/// is killed has failed, as if its constructor had: all that have handles are told.
///
/// That no count falls to zero too early rests on one rule, which the caller of this object keeps:
/// while gated(), nothing that ended on this rank is announced (no task as done, no future or
/// handle as released). For a handle that comes to a rank comes out of something that holds the
/// actor elsewhere (an argument, an object), and stays held until that end is announced; so the
/// owner has counted this rank before the other hold can end. The scheme is that of
/// acknowledged reference listing: Birrell, Evers, Nelson, Owicki and Wobber, Distributed Garbage
/// Collection for Network Objects, SRC report 116, 1993.
///
/// Pure: no MPI, threads, clock or randomness.
class References {
public:
    explicit References(Rank self) : self_(self) {}

    /// A coordinator enters its term, and more ranks are lost: all that were are `lost`, with their
    /// hosts. What they held is not held any more. Of actors that lived there it is not known any
    /// more how their constructors ended: their owners will tell; of those that they owned, that
    /// they are gone. The coordinator is told the names that are ours.
    void on_term(Rank coordinator, const std::map<Rank, std::string>& lost, wire::Actions& actions);

    /// An actor of this rank is to be made, and the first handle is here.
    void create(ObjectId actor, std::string name);

    /// It lives until the run ends, or it is killed, whoever has handles.
    void keep_for_job(ObjectId actor) { entries_.at(actor).for_job = true; }

    /// An actor of ours is to end. @return false if it is gone.
    bool kill(ObjectId actor);

    [[nodiscard]] bool killed(ObjectId actor) const {
        const auto place = entries_.find(actor);
        return place != entries_.end() && place->second.killed;
    }

    /// The name it was created with is its own now.
    void named(const wire::NamedActor& actor);

    /// It will not be made after all: its name was taken. Nobody else has heard of it.
    void forget(ObjectId actor);

    /// One more hold: a handle that came out of a value, or a call or container made of one that is
    /// here. The first of an actor of another rank is told to its owner.
    void hold(ObjectId actor, wire::Actions& actions);

    /// @param follows  Calls of it are kept here, which are no holds: if this was the last one, the
    ///                 owner still tells where the actor lives, until unfollow().
    void release(ObjectId actor, wire::Actions& actions, bool follows = false);

    /// No calls of it are kept here any more.
    void unfollow(ObjectId actor) { followed_.erase(actor); }

    /// As hold(), for an actor that was found by name and may be gone: answers `request`.
    void find(std::uint64_t request, const wire::NamedActor& actor, wire::Actions& actions);

    /// The constructor of an actor of ours has ended; or the actor was killed, and has failed.
    void on_made(ObjectId actor, const wire::Outcome& outcome, wire::Actions& actions);

    void on_borrow(Rank from, const wire::ActorBorrow& message, wire::Actions& actions);
    void on_known(const wire::ActorKnown& message, wire::Actions& actions);
    /// Also again, when the actor was restarted elsewhere.
    void on_placed(const wire::ActorPlaced& message);
    void on_released(Rank from, const wire::ActorReleased& message, wire::Actions& actions);

    /// A borrow has not been acknowledged.
    [[nodiscard]] bool gated() const { return unacknowledged_ > 0; }

    /// The constructor's, if this rank knows it.
    [[nodiscard]] const wire::Outcome* outcome(ObjectId actor) const;

    /// Actors whose constructor's outcome this rank has learnt.
    [[nodiscard]] std::vector<ObjectId> take_placed() { return std::exchange(placed_, {}); }

    /// Actors of ours that nobody holds any more: their host was told.
    [[nodiscard]] std::vector<ObjectId> take_ended() { return std::exchange(ended_, {}); }

    [[nodiscard]] bool has_news() const { return !placed_.empty() || !ended_.empty(); }

    /// No actor is held here, and none of ours anywhere.
    [[nodiscard]] bool empty() const { return entries_.empty(); }

    /// Holds of the actor on this rank.
    [[nodiscard]] std::uint64_t holds(ObjectId actor) const;

    void check_invariants() const;

private:
    struct Entry {
        std::uint64_t holds = 0;
        std::optional<wire::Outcome> outcome;

        // Of our own.
        std::set<Rank> borrowers;
        std::set<Rank> followers;              ///< No borrowers, but they keep calls they made.
        std::string name;                      ///< Empty: none, or freed.
        std::optional<wire::NamedActor> named; ///< Once the coordinator has granted the name.
        bool for_job = false;
        bool killed = false;

        // Of another rank's.
        bool acknowledged = false;
        std::vector<std::pair<std::uint64_t, wire::NamedActor>> finding;
    };

    [[nodiscard]] bool ours(ObjectId actor) const { return owner_of(actor) == self_; }

    [[nodiscard]] wire::Outcome gone(ObjectId actor, std::string why) const;
    [[nodiscard]] bool lives_on_lost(const wire::Outcome& outcome) const;
    /// Its owner is lost.
    void orphan(ObjectId actor, Entry& entry, std::string why);
    void free_name(ObjectId actor, Entry& entry, wire::Actions& actions);
    void destroy_if_unheld(ObjectId actor, wire::Actions& actions);

    Rank self_{};
    Rank coordinator_{};
    std::map<Rank, std::string> lost_;
    std::map<ObjectId, Entry> entries_;
    /// Of others' actors: not held, but calls are kept. With the constructor's outcome.
    std::map<ObjectId, std::optional<wire::Outcome>> followed_;
    std::uint64_t unacknowledged_ = 0;
    std::vector<ObjectId> placed_;
    std::vector<ObjectId> ended_;
};

} // namespace muster::actor
