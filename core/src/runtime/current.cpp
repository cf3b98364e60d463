#include <muster/core/coroutine.hpp>
#include <muster/core/detail/actor_block.hpp>
#include <muster/core/detail/client.hpp>
#include <muster/core/ending.hpp>
#include <muster/core/memory_report.hpp>
#include <muster/core/this_task.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace muster::detail {
namespace {

// How the free functions find the runtime: the one exception to "no globals".
thread_local Client* this_client = nullptr;
thread_local const CurrentTask* this_current_task = nullptr;

} // namespace

Client* current_client_or_null() noexcept {
    return this_client;
}

const CurrentTask* current_task() noexcept {
    return this_current_task;
}

void Client::free(ObjectId /*object*/) {
    throw Error("free() is not for isolated tasks: drop the future", ErrorCode::usage);
}

MemoryReport Client::memory_report() {
    throw Error("memory_report() is not for isolated tasks: ask where the task was submitted",
                ErrorCode::usage);
}

std::vector<std::optional<Buffer>> Client::recorded(const FunctionEntry& /*function*/,
                                                    std::span<const std::string> /*keys*/) {
    throw Error(
        "recorded() looks into the journal, which only the driver's rank has: call it there",
        ErrorCode::usage);
}

std::string Client::explain(ObjectId /*task*/) {
    throw Error("explain() is not for isolated tasks: ask where the task was submitted",
                ErrorCode::usage);
}

Client& current_client() {
    if (this_client == nullptr) {
        throw Error(
            "this thread belongs to no run: tasks are submitted and futures received in the "
            "driver that muster::run() calls, or in a task",
            ErrorCode::usage);
    }
    return *this_client;
}

CurrentScope::CurrentScope(Client& client, const CurrentTask* task) noexcept
    : previous_client_(this_client), previous_task_(this_current_task) {
    this_client = &client;
    this_current_task = task;
}

CurrentScope::~CurrentScope() {
    this_client = previous_client_;
    this_current_task = previous_task_;
}

void check_same_run(const FutureBlock& block) {
    if (block.client().get() != this_client) {
        throw Error(fmt::format("the future of {} belongs to another run (or is used outside any): "
                                "futures do not outlive their run; pass values instead",
                                to_string(block.id(0))),
                    ErrorCode::object_lost);
    }
}

void check_same_run(const ActorBlock& block) {
    if (block.client().get() != this_client) {
        throw Error(fmt::format("the actor of {} belongs to another run (or is used outside any): "
                                "actors do not outlive their run",
                                to_string(block.actor())),
                    ErrorCode::object_lost);
    }
}

void throw_empty_handle() {
    throw Error("this actor handle is empty (default-constructed or moved from): it names no actor",
                ErrorCode::usage);
}

void throw_handle_of_another_run(ObjectId actor) {
    throw Error(fmt::format("a handle of another run was found in a value (the actor of {}): "
                            "actors do not outlive their run",
                            to_string(actor)),
                ErrorCode::object_lost);
}

void throw_interrupted(const FutureBlock& block, std::uint64_t index) {
    if (block.client()->ended()) {
        throw Error(fmt::format("the run has ended, and {} was not there before",
                                to_string(block.id(index))),
                    ErrorCode::object_lost);
    }
    throw Error(fmt::format("asked to stop, while it waited for {}", to_string(block.id(index))),
                ErrorCode::cancelled);
}

void wait_here(Wait& wait) {
    const auto queue = std::make_shared<CompletionQueue>();
    wait.watch(queue);
    for (std::size_t i = 0; i < wait.answers(); ++i) {
        (void)current_client().wait_any(*queue, std::nullopt);
    }
}

void throw_failure(const FutureSlot& slot, const FutureBlock& block, std::uint64_t index) {
    if (slot.state.load(std::memory_order_acquire) == SlotState::failed &&
        slot.failure != nullptr) {
        throw TaskError(slot.failure->chain, slot.failure->code);
    }
    throw Error(
        fmt::format("{} has no value: its run ended before it did", to_string(block.id(index))),
        ErrorCode::object_lost);
}

} // namespace muster::detail

namespace muster {

bool stopping() noexcept {
    const auto* client = detail::current_client_or_null();
    return client != nullptr && client->stopping();
}

std::optional<std::chrono::nanoseconds> time_left() noexcept {
    const auto* client = detail::current_client_or_null();
    const auto end = client != nullptr ? client->end_time() : std::nullopt;
    if (!end) {
        return std::nullopt;
    }
    return std::max<std::chrono::nanoseconds>(*end - std::chrono::steady_clock::now(), {});
}

DeadlineHook on_deadline(std::function<void()> hook) {
    auto& client = detail::current_client();
    return {client.weak_from_this(), client.add_deadline_hook(std::move(hook))};
}

DeadlineHook::DeadlineHook(DeadlineHook&& other) noexcept
    : client_(std::move(other.client_)), id_(std::exchange(other.id_, 0)) {
}

DeadlineHook& DeadlineHook::operator=(DeadlineHook&& other) noexcept {
    if (this != &other) {
        remove();
        client_ = std::move(other.client_);
        id_ = std::exchange(other.id_, 0);
    }
    return *this;
}

DeadlineHook::~DeadlineHook() {
    remove();
}

void DeadlineHook::remove() noexcept {
    const auto client = client_.lock();
    if (client && id_ != 0) {
        client->remove_deadline_hook(id_);
    }
    id_ = 0;
}

namespace {

const detail::CurrentTask& task_here() {
    const auto* task = detail::current_task();
    if (task == nullptr) {
        throw Error("this_task() is called outside a task", ErrorCode::usage);
    }
    return *task;
}

} // namespace

ThisTask this_task() {
    const auto& task = task_here();
    return {task.id, task.attempt, task.stop_token};
}

std::vector<std::string> ThisTask::gpus() {
    return detail::current_client().gpus_of(task_here());
}

std::vector<int> ThisTask::cpus() {
    (void)task_here();
    return detail::current_client().cpus_of_thread();
}

} // namespace muster
