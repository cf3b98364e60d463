#pragma once

#include "sched/groups.hpp"
#include "sched/policy.hpp"
#include "sched/rank_set.hpp"
#include "sched/rank_table.hpp"
#include "wire/actions.hpp"
#include "wire/lending.hpp"

#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace muster::sched {

/// The coordinator's state machine: which tasks run where.
///
/// It sees ids, not tasks: ranges of ready tasks of a class (same function, demand, priority,
/// placement), and hands them to ranks as *leases*. Per class and rank it counts
///
///   slots    tasks that may run there at once; each is charged to the rank's free resources;
///   granted  tasks leased to the rank and not yet done; those beyond `slots` wait there *ahead*,
///            so that the rank is never idle for a round trip. How many may is bounded by the time
///            they are expected to take, and they can be recalled while they have not started.
///            Only tasks that demand nothing but CPUs wait ahead: the rank may start one at any
///            time, and what a task then holds while it is blocked must have been charged, or
///            another could wait for it in vain.
///
/// A *gang* is granted whole: a slot on each of its members' ranks at once, and a lease for each.
/// Nothing of it waits ahead, and its members lend nothing: a gang that could give its CPUs to
/// another while it waits for itself might never get them back all together.
///
/// A *placement group* waits like a class until all its bundles have room, which they then take off
/// their ranks. Tasks in it are charged to its bundles, and wait for one that has room
/// (groups.hpp).
///
/// So its cost is per lease, not per task. All its state is soft: owners know what is ready and
/// granted, workers know what they run.
///
/// Order among waiting classes: priority, then nesting depth, then the age of the oldest ready
/// range. A class that waits for more than any rank has free reserves one rank against the classes
/// after it, so that large demands do not starve behind small ones. Never a rank where a task is
/// blocked: that one may hold what the class waits for, and wait itself for a class after it. For
/// the same reason, and because actors may live long, never a rank that hosts an actor.
///
/// Pure: no MPI, threads, clock or randomness; iterates in defined orders only.
///
/// Invariants, checked by check_invariants():
///   1. A rank's free amounts are its capacity less its bundles and the demands of all slots
///   outside
///      of them, plus what blocked tasks there lent, and never more than its capacity. Likewise a
///      bundle's, with the slots in it.
///   2. For each class and rank, lent <= slots <= granted, and granted is the sum of what is left
///      of its leases.
///   3. Likewise of each GPU; and leases of classes that demand GPUs are of one task, which has the
///      lease's.
///   4. A class is in the waiting order exactly if it has ready tasks, and a group exactly if it is
///      known and misses a rank for a bundle.
class Scheduler {
public:
    struct Config {
        Rank self{};
        Term term{};
        std::int32_t world_size = 1;
        std::set<Rank> lost{}; ///< They will not register.
        /// Work leased ahead is bounded to about this much time per slot, a few round trips.
        Duration ahead_time = std::chrono::milliseconds{4};
        /// And to no less than the coordinator takes to come round to each rank that runs the
        /// class.
        Duration ahead_time_per_rank = std::chrono::microseconds{10};
        std::int64_t ahead_tasks_max = 4096; ///< per slot
        std::int64_t slots_per_class_and_rank_max =
            256; ///< bounds tasks that demand nothing; without the suspended
    };

    explicit Scheduler(const Config& config);

    /// A rank enters, with what it has of other coordinators' leases. With the last one in, every
    /// rank is told that the cluster stands; before, nothing is granted.
    void on_register(Rank from, const wire::Register& message, wire::Actions& actions);

    void on_submit(const wire::Submit& message);

    /// Tasks done (from their worker) or declined because cancelled (from their owner). Leases that
    /// are not known any more are ignored.
    void on_progress(const wire::Progress& message);

    void on_returned(Rank from, const wire::Returned& message);
    void on_lent(const wire::Lent& message);

    void on_group_open(wire::GroupOpen message, wire::Actions& actions);
    /// It is gone, or there is none: its bundles are free, and what waits for it goes back.
    void on_group_closed(const wire::GroupClosed& message, wire::Actions& actions);
    void on_bundle_taken(Rank from, const wire::BundleTaken& message, wire::Actions& actions);

    /// Grants what can be granted, and recalls for idle ranks. Called once after a batch of events.
    void dispatch(wire::Actions& actions);

    /// The run is ending: nothing is granted any more.
    void drain() { draining_ = true; }

    /// From now on dispatch() gives what is ready back to its owners (NotStarted).
    void halt();

    /// What waits for room, in the order in which it will get it.
    [[nodiscard]] wire::CoordinatorStatus describe() const;

    /// Says what the queued task `status.task` waits for; it is `sent` if it is queued no more.
    void explain(wire::TaskStatus& status, const wire::TaskClass& definition) const;

    [[nodiscard]] bool formed() const { return formed_; }

    [[nodiscard]] std::vector<Rank> missing_registrations(std::size_t limit) const;

    /// The bundles of the group that have a rank, by bundle; for tests and the simulator.
    [[nodiscard]] std::map<std::int32_t, Rank> places(ObjectId group) const;

    /// Nothing ready, leased or lent, no groups, and every rank's capacity is free.
    [[nodiscard]] bool idle() const;

    /// Aborts with the first broken invariant.
    void check_invariants() const;

private:
    struct ReadyRange {
        wire::Range range;
        std::uint64_t age = 0; ///< Order of arrival; smaller is older.
        /// Keeps most of what the tasks take, if that is much.
        std::optional<Rank> near;
    };

    struct ClassState {
        wire::TaskClass definition;
        std::deque<ReadyRange> ready;
        std::uint64_t ready_count = 0;
        std::optional<Order> order; ///< Its place in waiting_, if there.
        std::vector<Usage> usage;   ///< By rank.
        RankSet active;             ///< Ranks with slots.
        RankSet hungry;             ///< Active ranks that may want more ahead.
        bool all_hungry = false;    ///< All of them may.
        RankSet surplus;            ///< Ranks with tasks ahead: granted > slots.
        std::vector<bool> eligible; ///< Ranks it could ever run on; filled when first asked for.
        bool eligible_everywhere = false;
        std::int64_t slots_total = 0;
        std::int64_t granted_total = 0;
        std::optional<Duration> task_time; ///< Moving average.
        std::optional<bool> feasible;      ///< Once it was asked, after a loss.
        std::optional<Rank> recalling;     ///< The rank that a Recall is out to.
        Rank recalled_last{};              ///< Behind it the next one is looked for.
        RankSet futile; ///< Ranks that had nothing to return; not asked before progress.
        std::vector<Rank> reserved;   ///< One rank; of a gang, one for each member.
        std::int32_t passed_over = 0; ///< How often younger tasks went before the oldest.
        /// Of an undecided class, by alternative: the class as which tasks are granted.
        std::vector<wire::ClassIndex> decided;
    };

    struct Lease {
        wire::ClassIndex task_class = 0;
        Rank worker{};
        std::uint64_t remaining = 0;
        std::int64_t lent = 0;           ///< Blocked tasks of this lease whose CPUs are lent.
        std::int32_t bundle = no_bundle; ///< In which it was granted.
        wire::DeviceList devices;        ///< Of its one task, if that demands GPUs.
    };

    static constexpr std::int32_t no_bundle = -1;

    [[nodiscard]] wire::QueuedStatus describe(const ClassState& state) const;
    wire::ClassIndex intern(const wire::TaskClass& definition);
    /// Of the class's ready tasks, all or none can be run by the ranks that are left.
    [[nodiscard]] bool feasible(const ClassState& state) const;
    void turn_away_infeasible(wire::Actions& actions);
    void take_over(Rank worker, const wire::HeldClass& held);
    void push_ready(wire::ClassIndex index,
                    const wire::Range& range,
                    bool front,
                    std::optional<Rank> near = std::nullopt);
    void update_order(wire::ClassIndex index);
    /// Leases up to `count` ready tasks (fewer if the oldest range is shorter). @return how many.
    std::uint64_t grant(wire::ClassIndex index,
                        Rank worker,
                        std::uint64_t count,
                        wire::Actions& actions,
                        std::int32_t bundle = no_bundle);
    /// The same of tasks that were ready in class `from`, as its `alternative`.
    std::uint64_t grant_from(wire::ClassIndex from,
                             wire::ClassIndex index,
                             Rank worker,
                             std::uint64_t count,
                             wire::Actions& actions,
                             std::int32_t bundle,
                             std::uint32_t alternative);
    /// Grants what of the class can be granted now.
    void open(wire::ClassIndex index, wire::Actions& actions);
    /// Keeps free what the class waits for.
    void reserve_for(wire::ClassIndex index);
    void clear_marks();
    /// There is room for it so often, were nothing but bundles on the rank.
    [[nodiscard]] bool
    fits_beside_bundles(const Resources& demand, Rank rank, std::int64_t times = 1) const;
    void open_slots(wire::ClassIndex index, wire::Actions& actions);
    void open_slot(wire::ClassIndex index, Rank rank, wire::Actions& actions);
    /// Leases some of the oldest tasks to where what they take is, or next to it, if they can start
    /// there soon. @return false if they cannot, or it does not matter to them.
    bool grant_near(wire::ClassIndex index, wire::Actions& actions);
    [[nodiscard]] bool share_node(Rank a, Rank b) const;
    /// The position of the ready tasks that are to go to the rank: mostly the oldest.
    [[nodiscard]] std::size_t choose_ready(ClassState& state, Rank rank) const;
    void top_up(wire::ClassIndex index, wire::Actions& actions);
    void feed(wire::ClassIndex index, Rank rank, wire::Actions& actions);
    void reserve(wire::ClassIndex index);
    /// Of an undecided class: those as which its tasks are granted.
    std::vector<wire::ClassIndex> decided(wire::ClassIndex index);
    void open_alternatives(wire::ClassIndex index, wire::Actions& actions);
    void reserve_alternative(wire::ClassIndex index);
    /// What of its demands is waited for.
    [[nodiscard]] const Resources& awaited(const ClassState& state) const;
    /// Several members of a gang of this class may be threads of one rank.
    [[nodiscard]] bool members_share_ranks(const wire::TaskClass& definition) const;
    void open_gangs(wire::ClassIndex index, wire::Actions& actions);
    /// `bundles`: of a gang in a placement group, each member's.
    void grant_gang(wire::ClassIndex index,
                    const std::vector<Rank>& members,
                    wire::Actions& actions,
                    const std::vector<std::int32_t>& bundles = {});
    void reserve_gang(wire::ClassIndex index);
    void recall(wire::Actions& actions);
    void give_up_ready(wire::Actions& actions);
    void change_slots(wire::ClassIndex index,
                      Rank worker,
                      std::int64_t by,
                      std::int32_t bundle = no_bundle);
    /// More of the class's tasks on the rank lend their CPUs, or fewer.
    void change_lent(const ClassState& state, Rank worker, std::int64_t by, std::int32_t bundle);
    void count_actors(const ClassState& state, Rank worker, std::int32_t bundle, std::int64_t by);

    // GPUs.

    /// Those from which tasks of the class on `worker` get theirs: the bundle's, or the rank's.
    [[nodiscard]] Devices& devices_for(const ClassState& state, Rank worker, std::int32_t bundle);
    /// For one more task of the class.
    [[nodiscard]] wire::DeviceList
    take_devices(const ClassState& state, Rank worker, std::int32_t bundle);
    /// The lease is over.
    void give_back_devices(const Lease& lease);
    /// The bundle gets its place.
    void lay(Bundle& bundle, Rank rank, const wire::DeviceList& devices);
    /// Bundles that the last coordinator had given up, as is seen from what has their GPUs now.
    void give_up_overlapping(wire::Actions& actions);
    void check_devices() const;

    // Placement groups.

    [[nodiscard]] Group* find_group(const wire::TaskClass& definition);
    [[nodiscard]] const Group* find_group(const wire::TaskClass& definition) const;
    /// The bundle that tasks of the class on `worker` are charged to; none: they are charged to it.
    [[nodiscard]] Bundle* find_bundle(const ClassState& state, Rank worker, std::int32_t bundle);
    [[nodiscard]] const Bundle*
    find_bundle(const ClassState& state, Rank worker, std::int32_t bundle) const;
    /// Makes the class one of its group's, which may not be known.
    void join_group(wire::ClassIndex index);
    void know_group(wire::GroupSpec spec);
    void take_over_bundle(Rank worker, const wire::HeldBundle& held, wire::Actions& actions);
    /// All ranks have registered: what came of groups is sorted out.
    void settle_groups(wire::Actions& actions);
    void settle_group(Group& group, wire::Actions& actions);
    void ask_for_groups(wire::Actions& actions);
    void close_group(ObjectId id, const std::string& why, bool removed, wire::Actions& actions);
    void give_up_bundle(Group& group, std::int32_t bundle, wire::Actions& actions);
    /// All of them: the group is placed anew, as a whole.
    void give_up_places(Group& group, wire::Actions& actions);
    static void announce_if_complete(Group& group, wire::Actions& actions);
    void update_order(Group& group);
    /// Where the missing bundles would go. @param room  By rank.
    [[nodiscard]] std::optional<std::vector<Rank>> pick(const Group& group,
                                                        const std::vector<Room>& room,
                                                        const std::vector<bool>& excluded,
                                                        bool anew) const;
    void open_group(Group& group, wire::Actions& actions);
    void reserve_group(Group& group);
    void open_in_group(wire::ClassIndex index, wire::Actions& actions);
    void open_gangs_in_group(wire::ClassIndex index, wire::Actions& actions);
    void reserve_in_group(wire::ClassIndex index);
    /// Bundles in which the members of a gang find room; none if not all do. If `idle`, were
    /// nothing to run in them.
    [[nodiscard]] std::vector<std::int32_t> seats(const ClassState& state, bool idle) const;
    /// Bundles of its group that the class may run in, of those with a rank.
    [[nodiscard]] std::vector<std::int32_t> bundles_for(const ClassState& state) const;
    void turn_away(wire::ClassIndex index, const wire::Infeasible& word, wire::Actions& actions);
    /// Of a group that is gone: nothing is left of it.
    void forget_if_over(wire::ClassIndex index);
    [[nodiscard]] wire::GroupStatus describe(const Group& group) const;
    void describe_in_group(wire::QueuedStatus& queued, const ClassState& state) const;
    void check_groups(const std::map<wire::BundleId, Resources>& charged,
                      const std::map<wire::BundleId, std::int64_t>& slots) const;

    static void note_surplus(ClassState& state, Rank rank);
    void contest(ClassState& state);
    /// `count` granted tasks of the class left the rank, by whatever way.
    void release(wire::ClassIndex index, Rank worker, std::uint64_t count, std::int32_t bundle);
    [[nodiscard]] std::int64_t ahead_per_slot(const ClassState& state) const;
    [[nodiscard]] PlacementView view(const ClassState& state) const;

    Config config_;
    RankTable ranks_;
    std::vector<std::string> hosts_;
    std::int32_t registered_ = 0;
    bool formed_ = false;
    std::vector<ClassState> classes_;
    std::map<wire::TaskClass, wire::ClassIndex> class_index_;
    std::vector<wire::ClassIndex> class_free_; ///< Numbers of classes that are forgotten.
    std::map<ObjectId, Group> groups_;
    std::set<ObjectId> groups_to_ask_; ///< Of which nothing is known but that tasks are in them.
    std::set<Order> waiting_;
    std::unordered_map<LeaseId, Lease> leases_; ///< Looked up only, never iterated for decisions.
    /// By rank: tasks, outside of bundles, that lent their CPUs.
    std::vector<std::int64_t> blocked_;
    std::vector<bool> raw_busy_; ///< By rank: hosts a gang that calls MPI.
    std::vector<bool> none_busy_;
    /// By rank: actors that live or are made there, outside of bundles.
    std::vector<std::int64_t> actors_;
    std::vector<bool> reserved_;    ///< By rank, within one dispatch().
    bool bundles_reserved_ = false; ///< Some bundles are, too.
    /// By rank, within one dispatch(): a class that goes first waits for it.
    std::vector<bool> contested_;
    bool contested_everywhere_ = false;
    std::uint64_t last_lease_ = 0;
    std::uint64_t last_age_ = 0;
    bool draining_ = false;
    bool halted_ = false;
};

} // namespace muster::sched
