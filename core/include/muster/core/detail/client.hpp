#pragma once

#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>
#include <muster/core/detail/coroutine_run.hpp>
#include <muster/core/detail/encoded_task.hpp>
#include <muster/core/detail/future_block.hpp>
#include <muster/core/detail/registry.hpp>
#include <muster/core/options.hpp>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

/// The seam between the header-only part of the public interface, which knows the types, and the
/// library, which does not. Private to the library.
namespace muster {
class Communicator;
struct ClusterInfo;
struct MemoryReport;
} // namespace muster

namespace muster::detail {

class ActorBlock;
class GroupBlock;
struct GroupDescription;

/// A class whose objects are actors, as spawn() and find_actor() name it.
struct ActorType {
    const FunctionEntry& constructor;
    const char* class_name; ///< Static storage.
    bool saves = false;     ///< It has save() and load().
};

/// What an executor hands to a task function's thunk, and gets back from it.
struct Invocation {
    std::span<const std::byte> arguments;
    std::span<const Buffer> dependencies;
    Buffer result;
    Communicator* communicator = nullptr; ///< A gang member's.
    void* instance = nullptr;             ///< The actor whose method is called.
    std::shared_ptr<void> made{};         ///< By a constructor: the actor.
    /// Made by a function that is a coroutine, and not started: its result is the invocation's. It
    /// refers to nothing above but the actor.
    std::unique_ptr<CoroutineCall> coroutine{};
    const Buffer* saved = nullptr;         ///< What load() is to get after the constructor.
    Buffer (*save)(const void*) = nullptr; ///< Of the actor made; none if its class has no save().
};

/// The task that the calling thread runs; none in the driver.
struct CurrentTask {
    TaskId id{};
    FunctionId function{};
    std::uint32_t attempt = 0;
    std::uint32_t depth = 0;
    std::stop_token stop_token;
    bool lends_cpus = true; ///< While it waits for a future.
    /// In whose name it calls actors: the task itself, or the actor whose method it is.
    ObjectId context{};
    bool in_destructor = false;           ///< Of an actor, which must not throw.
    bool resumed = false;                 ///< A coroutine that has been suspended.
    std::vector<std::uint16_t> devices{}; ///< Its rank's GPUs that it has a share of.
};

/// One rank's runtime as user threads see it. Thread-safe.
class Client : public std::enable_shared_from_this<Client> {
public:
    Client() = default;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    virtual ~Client() = default;

    /// Memory for a value that is to be an object: where others of the node can read it, if it is
    /// large and there is room. Any thread.
    [[nodiscard]] virtual std::shared_ptr<std::byte[]> allocate_value(std::size_t size) {
        return allocate_bytes(size);
    }

    /// The same value, moved to such memory if it is large and lies elsewhere.
    [[nodiscard]] virtual Buffer share_value(Buffer value) { return value; }

    [[nodiscard]] Buffer copy_value(std::span<const std::byte> bytes) {
        auto memory = allocate_value(bytes.size());
        std::memcpy(memory.get(), bytes.data(), bytes.size());
        return {std::move(memory), bytes.size()};
    }

    /// Throws Error (ErrorCode::infeasible) if no rank could ever run it, with the closest fit.
    virtual FuturePlace
    submit(const FunctionEntry& function, const TaskOptions& options, EncodedTasks tasks) = 0;
    /// See muster::recorded(); by position.
    [[nodiscard]] virtual std::vector<std::optional<Buffer>>
    recorded(const FunctionEntry& function, std::span<const std::string> keys);
    /// `actors`: whose handles are inside the value.
    virtual std::shared_ptr<FutureBlock> put(Buffer value, std::vector<ObjectId> actors) = 0;
    virtual void cancel(ObjectId task) = 0;
    /// Names of the GPUs that a task of this rank has.
    [[nodiscard]] virtual std::vector<std::string> gpus_of(const CurrentTask& task) const = 0;
    /// What the calling thread may run on.
    [[nodiscard]] virtual std::vector<int> cpus_of_thread() const = 0;
    /// See muster::free().
    virtual void free(ObjectId object);
    /// See muster::memory_report().
    [[nodiscard]] virtual MemoryReport memory_report();
    /// See muster::explain().
    [[nodiscard]] virtual std::string explain(ObjectId task);

    /// Waits until the slot is done and its bytes are here. A task that calls it lends its CPUs.
    virtual void wait_value(FutureBlock& block, std::uint64_t index) = 0;

    /// Has the bytes of a slot come that is kept elsewhere, if the run has not ended.
    virtual void want_value(FutureBlock& block, std::uint64_t index) = 0;

    /// As CompletionQueue::next, lending the calling task's CPUs meanwhile.
    virtual std::optional<std::size_t>
    wait_any(CompletionQueue& queue,
             std::optional<std::chrono::steady_clock::time_point> deadline) = 0;

    /// A future's name leaves this rank inside a value, or came to it in one.
    virtual void escape(ObjectId object) = 0;
    virtual std::shared_ptr<FutureBlock> borrow(ObjectId object) = 0;
    virtual void release(ObjectId object) noexcept = 0;

    /// Throws Error if no rank could ever host it (infeasible), or its name is taken (usage).
    /// `arguments`: of the constructor, as one task's.
    virtual std::shared_ptr<ActorBlock>
    spawn(const ActorType& type, const ActorOptions& options, EncodedTasks arguments) = 0;
    /// Waits while the calling context has too many calls of the actor under way.
    virtual std::shared_ptr<FutureBlock> call(const ActorBlock& actor,
                                              const FunctionEntry& method,
                                              const CallOptions& options,
                                              EncodedTasks arguments) = 0;
    /// Ends it for everybody.
    virtual void kill_actor(ObjectId actor) = 0;
    /// Throws Error (usage) if there is none of that name, or it is of another class.
    virtual std::shared_ptr<ActorBlock> find_actor(const std::string& name,
                                                   const char* class_name) = 0;
    /// A handle's name leaves this rank inside a value that nobody watches, or came to it in one.
    virtual void escape_actor(ObjectId actor) = 0;
    virtual std::shared_ptr<ActorBlock>
    borrow_actor(ObjectId actor, std::uint32_t pending_calls_max, bool replays) = 0;
    virtual void release_actor(ObjectId actor) noexcept = 0;

    /// Throws Error if the cluster could never hold it (infeasible), or it makes no sense (usage).
    virtual std::shared_ptr<GroupBlock> make_group(std::vector<Bundle> bundles,
                                                   const PlacementGroupOptions& options);
    /// A handle came to this rank in a value.
    virtual std::shared_ptr<GroupBlock> borrow_group(GroupDescription description);
    virtual void remove_group(ObjectId group);
    /// A block's last handle is gone.
    virtual void release_group(ObjectId group) noexcept;

    /// The run is about to end, and when; nothing is known of an end: nothing.
    [[nodiscard]] virtual bool stopping() const noexcept { return false; }

    [[nodiscard]] virtual std::optional<std::chrono::steady_clock::time_point>
    end_time() const noexcept {
        return std::nullopt;
    }

    /// @return its number, for remove_deadline_hook(); 0 if it will never be called.
    virtual std::uint64_t add_deadline_hook(std::function<void()> /*hook*/) { return 0; }

    virtual void remove_deadline_hook(std::uint64_t /*id*/) {}

    /// Random, the same on every rank: tells this run's futures from another's.
    [[nodiscard]] virtual std::uint64_t run_id() const = 0;

    /// Takes in what futures have become, where nobody does so in the background.
    virtual void poll() {}

    [[nodiscard]] virtual ClusterInfo cluster() const = 0;
    [[nodiscard]] virtual bool ended() const = 0;
};

/// The runtime of the calling thread: the driver's, or that of the task it runs.
/// Throws Error (ErrorCode::usage) outside a run.
Client& current_client();
[[nodiscard]] Client* current_client_or_null() noexcept;
[[nodiscard]] const CurrentTask* current_task() noexcept;

/// Puts a runtime, and maybe a task, in charge of the calling thread for as long as it lives.
class CurrentScope {
public:
    CurrentScope(Client& client, const CurrentTask* task) noexcept;
    CurrentScope(const CurrentScope&) = delete;
    CurrentScope& operator=(const CurrentScope&) = delete;
    ~CurrentScope();

private:
    Client* previous_client_;
    const CurrentTask* previous_task_;
};

/// Throws Error (ErrorCode::object_lost) unless the block belongs to the calling thread's run.
void check_same_run(const FutureBlock& block);

[[noreturn]] void
throw_failure(const FutureSlot& slot, const FutureBlock& block, std::uint64_t index);

} // namespace muster::detail
