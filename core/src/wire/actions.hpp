#pragma once

#include "wire/messages.hpp"

#include <muster/base/error.hpp>

#include <memory>
#include <variant>
#include <vector>

/// What the pure state machines order; the runtime and the simulator carry it out.
namespace muster::wire {

/// Index of a task class in one rank's own table.
using ClassIndex = std::uint32_t;

struct SendMessage {
    Rank to{};
    Message message;
};

/// A task with everything it needs, for the executors.
struct ReadyTask {
    TaskId id{};
    FunctionId function{};
    std::uint32_t attempt = 1;
    Buffer arguments;
    std::vector<Buffer> dependencies;
    std::shared_ptr<const Gang> gang{}; ///< Of a member of a gang.
    std::int32_t member = 0;
    Duration timeout{}; ///< From its start: then event TaskTimedOut. 0: none.
    std::shared_ptr<const ActorMaking> making{}; ///< Of an actor's constructor.
    DeviceList devices{};                        ///< The rank's GPUs that it has a share of.
};

/// Append to the executors' queue of this class; runs when there is a slot.
struct EnqueueTask {
    ClassIndex task_class = 0;
    ReadyTask task;
};

/// One more executor may take tasks of this class. It keeps the slot while the queue has tasks,
/// and then gives it back (event SlotReturned).
struct GrantSlot {
    ClassIndex task_class = 0;
};

/// An executor of this class returns its slot after its present task (event SlotReturned).
struct RevokeSlot {
    ClassIndex task_class = 0;
};

/// Remove up to `count` tasks that have not started, last ones first (event TasksTakenBack).
struct TakeBackTasks {
    ClassIndex task_class = 0;
    std::uint32_t count = 0;
};

/// Remove this task if it has not started (TasksTakenBack with it), else ask it to stop.
struct StopTask {
    ClassIndex task_class = 0;
    TaskId task{};
};

/// A call that may run: those of one actor start in this order, the urgent ones before the others,
/// as many at a time as the actor allows.
struct EnqueueCall {
    ObjectId actor{};
    std::uint32_t depth = 0;
    ReadyTask call;
    bool urgent = false;
};

/// Remove this call if it has not started (event CallRemoved), else ask it to stop.
struct StopCall {
    ObjectId actor{};
    TaskId call{};
};

/// Run the actor's destructor (event ActorDestroyed). It has no calls any more.
struct DestroyActor {
    ObjectId actor{};
};

/// Calls of this rank are done: as many fewer that the context has under way.
struct CallsDone {
    ObjectId actor{};
    ObjectId context{};
    std::uint32_t count = 0;
};

/// The answer to NameClaimed and ActorWanted.
struct AnswerName {
    std::uint64_t request = 0;
    std::optional<NamedActor> actor; ///< Of ActorWanted: a handle of it is counted here.
    std::vector<std::string> names;
};

/// A task that waited for a future has its CPUs again.
struct ResumeTask {
    TaskId task{};
};

/// The future of an object has its answer. `futures` is what the submitter handed in.
struct ResolveFuture {
    ObjectId object{};
    std::shared_ptr<void> futures;
    std::uint64_t index = 0; ///< Of the object among the submission's.
    Outcome outcome;
};

/// A value asked for by FutureWanted is here, or cannot be had (outcome failed).
struct DeliverValue {
    ObjectId object{};
    Outcome outcome;
};

struct SendBulk {
    Rank to{};
    std::uint64_t transfer = 0;
    Buffer data;
};

struct ReceiveBulk {
    Rank from{};
    std::uint64_t transfer = 0;
    std::uint64_t size = 0;
    std::byte* into = nullptr; ///< Memory to receive into; null: new memory.
};

/// A value lies in memory of a rank of this node: to be read there, and answered by ValueMapped.
struct MapValue {
    Rank holder{};
    std::uint64_t transfer = 0;
    SharedPlace place;
};

/// A message between members is here: copy it to where its receiver wants it, and settle it.
struct PlaceMessage {
    Buffer data;
    std::byte* into = nullptr;
    std::shared_ptr<void> completion;
};

/// A send or receive between members has ended; `why` is empty if it succeeded.
struct SettleMessage {
    std::shared_ptr<void> completion;
    std::string why;
    ErrorCode code = ErrorCode::aborted; ///< If it failed.
};

/// Release a member of a gang whose other member failed. `port` is what GangOpened handed in.
struct AbortMember {
    std::shared_ptr<void> port;
    std::string why;
};

/// The cluster stands: the driver may start.
struct AnnounceCluster {
    Term term{};
    Rank coordinator{};
    std::string reason;
    std::vector<CapacityGroup> capacities;
    std::vector<AlikeRanks> alike;
    std::int32_t nodes = 0;

    /// What a rank has; none if it is lost.
    [[nodiscard]] const CapacityGroup* group(Rank rank) const {
        std::int32_t behind = 0;
        for (const AlikeRanks& some : alike) {
            behind += some.ranks;
            if (index(rank) < behind) {
                return some.group == AlikeRanks::no_group ? nullptr : &capacities.at(some.group);
            }
        }
        return nullptr;
    }
};

/// No message will be sent any more, except Goodbye: stop the executors.
struct FallSilent {
    std::int32_t exit_code = 0;
};

/// All ranks are silent: close the transport and return. Unless it is `orderly`, a rank was lost:
/// nothing may wait for a peer any more.
struct CloseTransport {
    bool orderly = true;
};

/// The rank is lost: what is queued for it and under way from it is given up, and nothing of it is
/// taken in any more. What was ordered before still leaves, if it can.
struct ForgetRank {
    Rank rank{};
};

/// This rank was taken for lost, or is cut off from the driver's: the process must end at once.
struct EndRank {
    std::string why;
};

/// The run has begun to end before its driver has (ending/ending.hpp): code may look, and hooks
/// run. Again if `end` comes closer.
struct BeginDrain {
    EndCause cause{};
    TimePoint end{};
};

/// No executor takes another task; members of gangs and calls of actors go on.
struct HoldTasks {};

/// Ask everything that runs to stop.
struct HaltTasks {};

/// The time is over: end the process as it is.
struct EndProcess {
    std::int32_t exit_code = 0;
    std::vector<Rank> busy; ///< Known on the driver's rank: where something still gets on.
};

/// Say what runs here, for the answer (event RunningCounted).
struct CountRunning {
    bool all = false; ///< Not only the oldest.
};

/// All answers to "what waits on whom" that came; the silent ranks have none.
struct PrintStatus {
    std::vector<std::optional<Status>> ranks;
    Rank coordinator{};
    Term term{};
};

/// What was asked for by ReportWanted: what every rank says of itself; none: it is silent.
struct AnswerStatus {
    std::uint64_t request = 0;
    std::vector<std::optional<Status>> ranks;
};

/// Does this task, which is with the executors, run? Answered by TaskLookedFor.
struct LookForTask {
    Explain question;
};

/// What was asked for by ExplainWanted.
struct AnswerExplain {
    std::uint64_t request = 0;
    TaskStatus status;
};

/// What was asked for by TasksAsked: a page of a rank's tasks.
struct AnswerTasks {
    std::uint64_t request = 0;
    TasksPage page;
};

/// A clock was compared with the driver's rank's: that one is `offset` ahead of this rank's, within
/// half of `round_trip`.
struct NoteClock {
    TimePoint at{};
    Duration offset{};
    Duration round_trip{};
};

using AnyAction = std::variant<SendMessage,
                               EnqueueTask,
                               GrantSlot,
                               RevokeSlot,
                               TakeBackTasks,
                               StopTask,
                               EnqueueCall,
                               StopCall,
                               DestroyActor,
                               CallsDone,
                               AnswerName,
                               ResumeTask,
                               ResolveFuture,
                               DeliverValue,
                               SendBulk,
                               ReceiveBulk,
                               MapValue,
                               PlaceMessage,
                               SettleMessage,
                               AbortMember,
                               AnnounceCluster,
                               FallSilent,
                               ForgetRank,
                               EndRank,
                               CloseTransport,
                               BeginDrain,
                               HoldTasks,
                               HaltTasks,
                               EndProcess,
                               CountRunning,
                               PrintStatus,
                               AnswerStatus,
                               LookForTask,
                               AnswerExplain,
                               AnswerTasks,
                               NoteClock>;

/// One of them; compiled once, like Message.
struct Action : AnyAction {
    using AnyAction::AnyAction;
    Action(const Action& other) = delete;
    Action(Action&& other) noexcept;
    Action& operator=(const Action& other) = delete;
    Action& operator=(Action&& other) noexcept;
    ~Action();
};

using Actions = std::vector<Action>;

} // namespace muster::wire
