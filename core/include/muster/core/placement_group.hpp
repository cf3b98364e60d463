#pragma once

#include <muster/core/detail/group_block.hpp>
#include <muster/core/future.hpp>
#include <muster/core/options.hpp>
#include <muster/core/resources.hpp>
#include <muster/core/serialize.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace muster {

/// Resources on several ranks, reserved together, for tasks, actors and gangs to run in.
///
///     auto group = muster::placement_group({{.cpus = 2, .gpus = 1}, {.cpus = 2}},
///                                          {.strategy = muster::Strategy::spread});
///     group.ready().get();
///     muster::task<&train>.with({.cpus = 2, .gpus = 1, .placement = group.bundle(0)})(config);
///     muster::task<&load>.with({.placement = group.any()})(file);
///
/// A handle: copying it is cheap. It may be an argument of tasks and calls, and part of any value
/// that travels. The group lives until it is removed, or until no handle is left on any rank and no
/// task or actor is in it: then its resources are free.
///
/// Its bundles are reserved all or none, and keep their resources from everything outside of the
/// group. What runs in a bundle demands no more than the bundle has, and shares it with the others
/// there: a task that waits in get() lends its CPUs within its bundle. Tasks may be submitted
/// before the group has its place; they wait for it. So does what is in a bundle whose rank was
/// lost, until that has another place; if the ranks that are left cannot hold the group, it fails.
///
/// The members of a gang in a group are seated in its bundles, on a rank each, so that the bundles
/// must lie on as many ranks as the gang has members.
///
/// Threads: different handles may be used at the same time, also if they name the same group.
class PlacementGroup {
public:
    PlacementGroup() = default;

    /// For `.placement`: in the bundle with that index. It holds no handle: keep the group until
    /// what is to run there has been submitted.
    /// @throws Error (usage) if there is no such bundle, or the handle is empty.
    [[nodiscard]] Placement bundle(std::size_t index) const {
        const auto& group = block().description();
        if (index >= group.bundles.size()) {
            detail::throw_no_bundle(group, static_cast<std::int64_t>(index));
        }
        return {Placement::Kind::in_group, static_cast<std::int32_t>(index), group.id};
    }

    /// For `.placement`: in the bundle that has most room.
    [[nodiscard]] Placement any() const {
        return {Placement::Kind::in_group, -1, block().description().id};
    }

    /// How many bundles it has.
    [[nodiscard]] std::size_t size() const { return block().description().bundles.size(); }

    /// There once all bundles have a place. Fails if the group is removed before (cancelled), or if
    /// it cannot be placed any more because ranks were lost.
    [[nodiscard]] Future<void> ready() const { return Future<void>(block().ready(), 0); }

    /// Frees its resources: tasks, gangs and actors in it that have not been sent to their rank
    /// fail (cancelled). Those that have been go on to their end, and keep what they demanded until
    /// then: cancel them, or let go of them, for more. No effect on a group that is gone.
    void remove() const { block().client()->remove_group(block().description().id); }

    /// False for a default-constructed or moved-from handle.
    [[nodiscard]] bool valid() const noexcept { return block_ != nullptr; }

    /// The group's name in logs. Zero for an empty handle.
    [[nodiscard]] ObjectId id() const noexcept {
        return block_ == nullptr ? ObjectId{} : block_->description().id;
    }

    /// Handles are equal if they name the same group.
    friend bool operator==(const PlacementGroup& a, const PlacementGroup& b) {
        return a.id() == b.id();
    }

    /// Private to the library.
    explicit PlacementGroup(std::shared_ptr<detail::GroupBlock> block) : block_(std::move(block)) {}

    [[nodiscard]] detail::GroupBlock& block() const {
        if (block_ == nullptr) {
            detail::throw_empty_group();
        }
        detail::check_same_run(*block_);
        return *block_;
    }

private:
    std::shared_ptr<detail::GroupBlock> block_;
};

/// Reserves resources on several ranks: a bundle on one rank each, and the ranks where the strategy
/// wants them. Returns at once; see PlacementGroup::ready().
///
/// @throws Error (infeasible) if the cluster could never hold it, with the reason;
///         Error (usage) if there are no bundles, or a demand is negative.
inline PlacementGroup placement_group(std::vector<Bundle> bundles,
                                      const PlacementGroupOptions& options = {}) {
    return PlacementGroup(detail::current_client().make_group(std::move(bundles), options));
}

// A handle inside a value travels by name, as an actor's does.

inline void muster_encode(Writer& writer, const PlacementGroup& group) {
    encode(writer, group.id());
    if (!group.valid()) {
        return;
    }
    const detail::GroupBlock& block = group.block();
    if (writer.context() != nullptr) {
        static_cast<std::vector<ObjectId>*>(writer.context())->push_back(group.id());
    } else {
        block.client()->escape_actor(group.id());
    }
    encode(writer, block.client()->run_id());
    encode(writer, block.description().name);
    encode(writer, block.description().bundles);
}

inline void muster_decode(Reader& reader, PlacementGroup& group) {
    detail::GroupDescription description;
    description.id = decode<ObjectId>(reader);
    if (description.id == ObjectId{}) {
        group = {};
        return;
    }
    const auto run_id = decode<std::uint64_t>(reader);
    description.name = decode<std::string>(reader);
    description.bundles = decode<std::vector<Resources>>(reader);
    auto& client = detail::current_client();
    if (run_id != client.run_id()) {
        detail::throw_group_of_another_run(description.id);
    }
    group = PlacementGroup(client.borrow_group(std::move(description)));
}

} // namespace muster
