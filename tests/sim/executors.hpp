#pragma once

#include "actor/mailboxes.hpp"
#include "futures.hpp"
#include "program.hpp"
#include "rank/rank_machine.hpp"
#include "worker/run_queue.hpp"
#include "world.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace muster::sim {

/// The user's side of a virtual rank: its executors, the tasks and the driver that run there, and
/// the futures they hold. Counterpart of the runtime's thread pool and client.
///
/// Recomputes what the rank's tasks use, apart from the machines, and throws SimFailure if it is
/// ever more than the rank has.
class Executors {
public:
    using Post = std::function<void(rank::Event)>;

    Executors(World& world, Rank self, const Resources& capacity, Post post)
        : world_(world), self_(self), capacity_(capacity), post_(std::move(post)) {}

    // Orders of the rank's machine.
    void enqueue(wire::EnqueueTask order, const wire::TaskClass& task_class);
    void grant_slot(wire::ClassIndex index);

    void revoke_slot(wire::ClassIndex index) { queue_.revoke_slot(index); }

    void hold() { queue_.hold(); }

    void take_back(const wire::TakeBackTasks& order);
    void stop(const wire::StopTask& order);
    void resume(TaskId task);
    void enqueue_call(wire::EnqueueCall order);
    void stop(const wire::StopCall& order);
    void destroy(const wire::DestroyActor& order);
    void answer(const wire::AnswerName& order);
    void resolve(const wire::ResolveFuture& order);
    void deliver(const wire::DeliverValue& order);
    void place(const wire::PlaceMessage& order);
    void settle(const wire::SettleMessage& order);
    void abort(const wire::AbortMember& order);
    void fall_silent();
    /// Everything here is gone.
    void crash();

    /// Runs a program as the driver; `done` is called at its end.
    void run_driver(ProgramPtr program, std::function<void()> done);

    // What a user's code does. Handles that are returned are the caller's to release.
    struct Launch {
        ProgramPtr program;
        std::vector<ObjectId> dependencies;
        std::vector<ObjectId> passed;
        std::size_t argument_bytes = 0;
        std::vector<ObjectId> passed_actors{};
    };

    std::vector<Handle>
    submit(const TaskKind& kind, std::uint32_t depth, const std::vector<Launch>& tasks);
    Handle put(std::size_t bytes,
               std::span<const ObjectId> contained,
               std::span<const ObjectId> actors = {});
    /// @return the actor, of which the caller has a handle.
    ObjectId spawn(const TaskKind& kind, std::uint32_t depth, const Launch& constructor);
    Handle call(ObjectId actor,
                ObjectId context,
                FunctionId function,
                std::uint32_t depth,
                const Launch& method,
                bool urgent = false);
    void release_actor(ObjectId actor);
    void cancel(ObjectId object);
    void free(ObjectId object);
    void release(Handle& handle);
    /// Asks for the bytes of a value kept elsewhere.
    void want(const Handle& handle);

    [[nodiscard]] bool running(TaskId task) const { return running_.contains(task); }

    [[nodiscard]] bool blocked(TaskId task) const {
        const auto place = running_.find(task);
        return place != running_.end() && contexts_.at(place->second).blocked;
    }

    /// Blocked ones are not counted.
    [[nodiscard]] std::size_t running_count() const { return running_.size() - blocked_count_; }

    [[nodiscard]] std::size_t blocked_count() const { return blocked_count_; }

    [[nodiscard]] std::size_t blocked_most() const { return blocked_most_; }

    /// What runs in a bundle that lies here fits it; once it is given up, that runs on.
    void check_bundles(const std::function<bool(const wire::BundleId&)>& lies_here) const;

    [[nodiscard]] bool idle() const {
        return contexts_.empty() && wanted_.empty() && asking_.empty();
    }

    [[nodiscard]] bool hosts_actors() const { return !actors_.empty(); }

    [[nodiscard]] bool runs_member() const {
        return std::any_of(contexts_.begin(), contexts_.end(), [](const auto& entry) {
            return entry.second.gang != nullptr;
        });
    }

    /// Tasks in the order in which they started.
    [[nodiscard]] const std::vector<TaskId>& started() const { return started_; }

    /// What runs and waits here, for the report of a simulation that got stuck.
    [[nodiscard]] std::string describe() const;

private:
    /// What a member is released by.
    struct Port {
        ContextId context = 0;
        bool aborted = false;
    };

    /// A message to the next member and one from the one before.
    struct Passing {
        ContextId context = 0;
        std::vector<std::byte> sent;
        std::vector<std::byte> received;
        int pending = 0;
        bool failed = false;
    };

    /// One half of it, as the machine knows it.
    struct Half {
        std::shared_ptr<Passing> passing;
        bool settled = false;
    };

    void settled(const std::shared_ptr<void>& completion, bool failed);

    struct ActorRef {
        ObjectId actor{};
        bool owned = true; ///< Else its holder is the actor whose method runs.
    };

    /// A handle of a placement group; a released one is zero.
    struct GroupRef {
        ObjectId group{};
        Handle ready; ///< Only where it was made.
    };

    /// What a rank, or a bundle, has in use.
    struct Usage {
        Resources used; ///< By tasks.
        Resources held; ///< By actors that live there.
    };

    /// What an actor that lives here holds.
    struct ActorState {
        std::vector<ActorRef> actors;
        Resources demand;
        wire::DeviceList devices;
        std::optional<wire::BundleId> bundle;
        std::set<TaskId> ran; ///< Its state: the calls that have run on it.
    };

    /// A thread of the user: the driver, or an executor inside a task.
    struct Context {
        ContextId id = 0;
        ProgramPtr program;
        std::size_t position = 0;
        std::vector<Handle> table;
        std::vector<ActorRef> actors; ///< A released one is zero.
        std::vector<GroupRef> groups;
        std::uint64_t asked = 0; ///< The request about a name that it waits for.
        std::optional<wire::AnswerName> answer;
        ObjectId claimed{};
        std::uint64_t plan = 0;     ///< Of the latest planned continuation; older ones are void.
        std::function<void()> done; ///< Only the driver's.

        // Only a task's.
        std::optional<TaskId> task;
        std::optional<ObjectId> actor; ///< Whose method it is.
        int calls_left = 0;            ///< Of its actor, before it is another's turn.
        wire::ClassIndex task_class = 0;
        std::uint32_t depth = 0;
        std::uint32_t attempt = 0;
        Resources demand;
        wire::DeviceList devices;                        ///< The GPUs it has a share of.
        std::optional<wire::BundleId> bundle;            ///< In which it runs.
        std::shared_ptr<const wire::ActorMaking> making; ///< Of a constructor.
        TimePoint began;
        bool blocked = false;
        bool resuming = false;
        bool suspended = false; ///< A call that has left its turn.
        bool stop_requested = false;

        // Only a member's.
        std::shared_ptr<const wire::Gang> gang;
        std::int32_t member = 0;
        std::shared_ptr<Port> port;
        std::shared_ptr<Passing> passing; ///< Under way.
        std::uint64_t passed = 0;
    };

    enum class Next : std::uint8_t { go_on, wait, fail };
    enum class Ending : std::uint8_t { value, exception, cancelled };

    void take_task(wire::ClassIndex index, bool first);
    void start(wire::ClassIndex index, wire::ReadyTask ready);
    void join_gang(Context& context, std::shared_ptr<const wire::Gang> gang, std::int32_t member);
    void leave_gang(Context& context);
    /// What an actor's save() gives behind a call, if it is due; now and then it throws.
    [[nodiscard]] std::optional<Buffer> save(ObjectId actor);
    /// Does it after the delay; never if this rank has crashed, and not while it is frozen.
    void later(Duration delay, std::function<void()> step);
    void plan(Context& context, Duration delay);
    void run(Context& context);
    Next perform(Context& context, const Compute& step);
    Next perform(Context& context, const Submit& step);
    Next perform(Context& context, const Put& step);
    Next perform(Context& context, const Get& step);
    Next perform(Context& context, const GetAll& step);
    Next perform(Context& context, const Cancel& step);
    Next perform(Context& context, const Release& step);
    Next perform(Context& context, const Throw& step);
    Next perform(Context& context, const Pass& step);
    Next perform(Context& context, const ThrowOne& step);
    Next perform(Context& context, const LeaveOne& step);
    Next perform(Context& context, const MakeGroup& step);
    Next perform(Context& context, const AwaitGroup& step);
    Next perform(Context& context, const RemoveGroup& step);
    Next perform(Context& context, const ReleaseGroup& step);
    /// None if the table is empty or that handle was released.
    [[nodiscard]] GroupRef* local_group(Context& context, Local index) const;
    /// The placement that the client would take: none if the bundle is too small for the kind.
    [[nodiscard]] std::optional<Placement>
    place_in(Context& context, const InGroup& in, const TaskKind& kind) const;
    void release_group(GroupRef& ref);
    Next finish_pass(Context& context);
    Next perform(Context& context, const Spawn& step);
    Next perform(Context& context, const Call& step);
    Next perform(Context& context, const FindActor& step);
    Next perform(Context& context, const ReleaseActor& step);
    Next perform(Context& context, const CancelActor& step);
    Next perform(Context& context, const KillActor& step);
    [[nodiscard]] Launch launch(Context& context, const NewTask& task) const;
    /// None if the table is empty or that handle was released.
    [[nodiscard]] ActorRef* local_actor(Context& context, Local index) const;
    [[nodiscard]] std::vector<ObjectId> local_actors(Context& context,
                                                     const std::vector<Local>& locals) const;
    void borrow_actors(Context& context, std::span<const ObjectId> actors);
    void ask(Context& context, std::uint64_t request, rank::Event question);
    [[nodiscard]] owner::RetryPolicy retry_policy(const TaskKind& kind) const;
    void submit_actor(ObjectId actor,
                      const TaskKind& kind,
                      std::uint32_t depth,
                      const Launch& constructor);
    [[nodiscard]] owner::Submission
    submission_of(TaskId id, const TaskKind& kind, std::uint32_t depth, const Launch& task);
    void plan_actor();
    void take_actor();
    void run_calls(ObjectId actor, int left);
    void give_back_turn(ObjectId actor);
    /// A call that waits leaves its turn, if it is a coroutine.
    void suspend(Context& context);
    /// @return true if it has a turn again.
    [[nodiscard]] bool go_on(Context& context);
    void start_context(Context& context, wire::ReadyTask ready);
    void keep_actor(Context& context);
    /// Waits until the handle's value is here and the context has its CPUs.
    Next await(Context& context, const Handle& handle, bool tolerant);
    void end(Context& context, Ending ending);
    /// A task's thread tells of its end, and takes the next one.
    void hand_in(wire::ClassIndex index,
                 worker::AttemptFinished report,
                 std::optional<ObjectId> actor,
                 int calls_left,
                 bool made_actor);

    /// None if the table is empty or that future was released.
    [[nodiscard]] Handle* local(Context& context, Local index) const;
    [[nodiscard]] std::vector<ObjectId> objects(Context& context,
                                                const std::vector<Local>& locals) const;
    void borrow_all(Context& context, std::span<const ObjectId> objects);
    Handle borrow(ObjectId object);
    Handle adopt(std::shared_ptr<FutureBlock> block, std::size_t index);
    void escape(std::span<const ObjectId> objects);
    void wake_waiters(FutureSlot& slot);
    /// More is in use: of the rank and, in a bundle, of that.
    void use(const Resources& what, const std::optional<wire::BundleId>& bundle);
    void unuse(const Resources& what, const std::optional<wire::BundleId>& bundle);
    /// A task or an actor has its share of GPUs, of which no one is given away more than once.
    void use_devices(const wire::DeviceList& devices, Amount gpus);
    void unuse_devices(const wire::DeviceList& devices, Amount gpus);
    void check_use(const Usage& usage, const Resources& capacity, const std::string& who) const;
    void stopped_if_empty();
    [[nodiscard]] Duration wake_delay();

    World& world_;
    Rank self_;
    Resources capacity_;
    Post post_;
    worker::RunQueue queue_;
    actor::Mailboxes mailboxes_;
    std::map<ObjectId, ActorState> actors_;
    std::map<std::uint64_t, ContextId> asking_; ///< By request.
    std::uint64_t last_request_ = 0;
    Resources held_; ///< By actors that live here.
    std::map<ContextId, Context> contexts_;
    std::map<TaskId, ContextId> running_;
    std::multimap<ObjectId, Handle> wanted_;
    std::map<wire::ClassIndex, std::pair<Placement, Resources>> classes_;
    std::map<wire::BundleId, Usage> in_bundles_; ///< Of what is in none: the one without a group.
    std::vector<TaskId> started_;
    std::map<wire::DeviceIndex, Amount> devices_used_; ///< By tasks and actors.
    Resources used_;
    ContextId last_context_ = 0;
    std::uint64_t last_sequence_ = 0;
    std::size_t leaving_ = 0; ///< Members that have left their gang and not yet told of their end.
    std::size_t blocked_count_ = 0;
    std::size_t blocked_most_ = 0;
    bool ended_ = false;
    bool stop_reported_ = false;
    bool crashed_ = false;
};

} // namespace muster::sim
