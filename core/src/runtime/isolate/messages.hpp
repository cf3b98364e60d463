#pragma once

#include "process/channel.hpp"
#include "runtime/granted.hpp"
#include "wire/messages.hpp"

#include <muster/core/detail/future_block.hpp>
#include <muster/core/detail/group_block.hpp>
#include <muster/core/options.hpp>
#include <muster/core/runtime.hpp>
#include <muster/core/serialize.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What a rank and a process that it hosts say to one another. Both are one image on one machine,
/// so functions have the same numbers and nothing has a version.
///
///     rank    -> process  Run        do this; payloads: the arguments, then the dependencies, then
///                                    the saved state, if an actor is to load one
///     process -> rank     Done       it returned; payload: the result
///                      or Failed     it threw
///
/// In between the code inside may ask of its rank what detail::Client offers. What has a `request`
/// is answered by one Answer; the rest is not.
namespace muster::runtime::isolate {

/// First of all.
struct Hello {
    std::uint64_t run_id = 0;
    ClusterInfo cluster;
};

struct Run {
    enum class Job : std::uint8_t { task, constructor, call, save, destructor };

    Job job = Job::task;
    TaskId id{};
    FunctionId function{};
    std::uint32_t attempt = 1;
    std::uint32_t depth = 0;
    ObjectId context{};
    bool loads = false; ///< A constructor: there is a saved state.
    Granted granted{};
};

struct Refusal {
    ErrorCode code = ErrorCode::failed;
    std::string message;
};

/// What has become of a future; the value is the payload that goes with it.
struct FutureState {
    ObjectId object{};
    detail::SlotState state = detail::SlotState::pending;
    std::vector<TaskFailure> failure;
    ErrorCode code = ErrorCode::task_failed;
};

struct Answer {
    std::uint64_t request = 0;
    std::optional<Refusal> refusal;
    ObjectId id{};            ///< Of what was made or found.
    std::uint64_t stride = 1; ///< Between the ids of a submission.
    std::uint32_t pending_calls_max = 0;
    bool replays = false;
    std::optional<FutureState> future; ///< With one payload.
    std::optional<detail::GroupDescription> group{};
};

/// Unasked, of futures held in the process; as many payloads.
struct Resolved {
    std::vector<FutureState> futures;
};

/// The run has ended: whoever waits gives up.
struct RunEnded {};

struct Done {};

struct Failed {
    std::vector<wire::FailureRecord> records;
};

/// A SIGTERM has come and was passed on to what runs.
struct StopSeen {};

/// Payload: the tasks, as detail::EncodedTasks.
struct Submit {
    std::uint64_t request = 0;
    FunctionId function{};
    TaskOptions options;
};

/// Payload: the value.
struct Put {
    std::uint64_t request = 0;
    std::vector<ObjectId> actors;
};

/// The value of a future, once there is one. CPUs are lent meanwhile.
struct Want {
    std::uint64_t request = 0;
    ObjectId object{};
};

/// A thread waits for futures, and lends its CPUs from one to the other.
struct WaitBegins {
    std::uint64_t request = 0;
};

struct WaitEnds {
    std::uint64_t request = 0;
};

struct CancelTask {
    ObjectId task{};
};

struct Escape {
    ObjectId object{};
};

struct Borrow {
    ObjectId object{};
};

struct Release {
    std::vector<ObjectId> objects;
};

/// Payload: the arguments, as detail::EncodedTasks.
struct Spawn {
    std::uint64_t request = 0;
    FunctionId constructor{};
    bool saves = false; ///< Its class can be saved.
    ActorOptions options;
};

/// Payload: as of Spawn.
struct CallActor {
    std::uint64_t request = 0;
    ObjectId actor{};
    FunctionId method{};
    CallOptions options;
};

struct KillActor {
    ObjectId actor{};
};

struct FindActor {
    std::uint64_t request = 0;
    std::string name;
    std::string class_name;
};

struct EscapeActor {
    ObjectId actor{};
};

struct BorrowActor {
    ObjectId actor{};
    std::uint32_t pending_calls_max = 0;
    bool replays = false;
};

struct ReleaseActor {
    ObjectId actor{};
};

struct MakeGroup {
    std::uint64_t request = 0;
    std::vector<Bundle> bundles;
    PlacementGroupOptions options;
};

struct BorrowGroup {
    detail::GroupDescription group;
};

struct RemoveGroup {
    ObjectId group{};
};

struct ReleaseGroup {
    ObjectId group{};
};

using ToProcess = std::variant<Hello, Run, Answer, Resolved, RunEnded>;
using ToRank = std::variant<Done,
                            Failed,
                            StopSeen,
                            Submit,
                            Put,
                            Want,
                            WaitBegins,
                            WaitEnds,
                            CancelTask,
                            Escape,
                            Borrow,
                            Release,
                            Spawn,
                            CallActor,
                            KillActor,
                            FindActor,
                            EscapeActor,
                            BorrowActor,
                            ReleaseActor,
                            MakeGroup,
                            BorrowGroup,
                            RemoveGroup,
                            ReleaseGroup>;

} // namespace muster::runtime::isolate
