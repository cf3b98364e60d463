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

/// A call that may run: of one actor they run one at a time, in this order.
struct EnqueueCall {
    ObjectId actor{};
    std::uint32_t depth = 0;
    ReadyTask call;
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
    std::vector<std::uint32_t> group_of;
    std::int32_t nodes = 0;
};

/// No message will be sent any more, except Goodbye: stop the executors.
struct FallSilent {
    std::int32_t exit_code = 0;
};

/// All ranks are silent: close the transport and return.
struct CloseTransport {};

using Action = std::variant<SendMessage,
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
                            PlaceMessage,
                            SettleMessage,
                            AbortMember,
                            AnnounceCluster,
                            FallSilent,
                            CloseTransport>;

using Actions = std::vector<Action>;

} // namespace muster::wire
