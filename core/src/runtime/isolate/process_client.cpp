#include "runtime/isolate/process_client.hpp"

#include <muster/base/assert.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace muster::runtime::isolate {

using detail::FutureBlock;
using detail::SlotState;

namespace {

// Few enough that a value is freed soon, many enough that releasing costs next to nothing.
constexpr std::size_t releases_at_once = 64;

[[noreturn]] void throw_ended() {
    throw Error("the run has ended: futures and tasks are of no use once its driver has returned",
                ErrorCode::object_lost);
}

} // namespace

ProcessClient::ProcessClient(int socket, const FunctionTable& functions)
    : socket_(socket), functions_(functions), channel_(socket) {
}

void ProcessClient::set_granted(const Granted& granted) {
    const std::lock_guard lock(mutex_);
    granted_ = granted;
}

std::vector<std::string> ProcessClient::gpus_of(const detail::CurrentTask& /*task*/) const {
    const std::lock_guard lock(mutex_);
    return granted_.gpus;
}

std::vector<int> ProcessClient::cpus_of_thread() const {
    const std::lock_guard lock(mutex_);
    return granted_.cpus;
}

bool ProcessClient::ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
}

void ProcessClient::tell(const ToRank& message, std::vector<Buffer> payloads) {
    const Buffer head = to_buffer(message);
    const std::lock_guard lock(sending_);
    flush_releases();
    channel_.send(head.bytes(), payloads, process::Channel::Wait::yes);
}

void ProcessClient::flush_releases() {
    if (!releases_.empty()) {
        const Buffer head = to_buffer(ToRank(Release{std::exchange(releases_, {})}));
        channel_.send(head.bytes(), {}, process::Channel::Wait::yes);
    }
}

template <class Message>
Answer ProcessClient::ask_unless_refused(Message message,
                                         std::vector<Buffer> payloads,
                                         Continuation then) {
    std::unique_lock lock(mutex_);
    message.request = ++last_request_;
    const auto place = pending_.emplace(message.request, Pending{std::move(then), {}}).first;
    lock.unlock();
    try {
        tell(message, std::move(payloads));
    } catch (...) {
        lock.lock();
        pending_.erase(place);
        throw;
    }
    lock.lock();
    receive_until(lock, [&] { return place->second.answer.has_value(); });
    Answer answer = std::move(*place->second.answer);
    pending_.erase(place);
    return answer;
}

template <class Message>
Answer ProcessClient::ask(Message message, std::vector<Buffer> payloads, Continuation then) {
    Answer answer = ask_unless_refused(std::move(message), std::move(payloads), std::move(then));
    if (answer.refusal) {
        throw Error(answer.refusal->message, answer.refusal->code);
    }
    return answer;
}

void ProcessClient::receive_until(std::unique_lock<std::mutex>& lock,
                                  const std::function<bool()>& done,
                                  std::optional<Clock::time_point> deadline) {
    while (!done()) {
        if (!receiving_) {
            if (!receive_one(lock, deadline)) {
                return;
            }
        } else if (!deadline) {
            changed_.wait(lock);
        } else if (changed_.wait_until(lock, *deadline) == std::cv_status::timeout) {
            return;
        }
    }
}

bool ProcessClient::receive_one(std::unique_lock<std::mutex>& lock,
                                std::optional<Clock::time_point> deadline) {
    receiving_ = true;
    lock.unlock();
    bool in_time = true;
    process::Channel::Received received;
    if (deadline) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
        pollfd event{socket_, POLLIN, 0};
        constexpr std::int64_t hour_ms = 3'600'000; // more would not fit, and the caller asks again
        in_time = ::poll(&event,
                         1,
                         static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, hour_ms))) > 0;
    }
    if (in_time) {
        received = channel_.receive(process::Channel::Wait::yes);
    }
    if (received.ended) {
        ::_exit(0); // the rank has gone, or wants no more of this process
    }
    lock.lock();
    receiving_ = false;
    if (received.frame) {
        take_in(std::move(*received.frame));
    }
    changed_.notify_all();
    return in_time || Clock::now() < *deadline;
}

void ProcessClient::poll() {
    const std::lock_guard lock(mutex_);
    while (!receiving_) {
        auto received = channel_.receive(process::Channel::Wait::no);
        if (received.ended) {
            ::_exit(0);
        }
        if (!received.frame) {
            return;
        }
        take_in(std::move(*received.frame));
        changed_.notify_all();
    }
}

void ProcessClient::take_in(process::Frame frame) {
    auto message = from_buffer<ToProcess>(frame.head);
    if (auto* run = std::get_if<Run>(&message)) {
        orders_.push_back({*run, std::move(frame.payloads)});
    } else if (auto* answer = std::get_if<Answer>(&message)) {
        const auto place = pending_.find(answer->request);
        MUSTER_ASSERT(place != pending_.end());
        const Buffer value = frame.payloads.empty() ? Buffer() : frame.payloads.front();
        if (answer->future) {
            settle(*answer->future, value);
        }
        if (place->second.then && !answer->refusal) {
            place->second.then(*answer, value);
        }
        place->second.answer = std::move(*answer);
    } else if (const auto* resolved = std::get_if<Resolved>(&message)) {
        for (std::size_t i = 0; i < resolved->futures.size(); ++i) {
            settle(resolved->futures[i], frame.payloads.at(i));
        }
    } else if (auto* hello = std::get_if<Hello>(&message)) {
        hello_ = std::move(*hello);
        greeted_ = true;
    } else {
        ended_ = true;
    }
}

void ProcessClient::settle(const FutureState& state, const Buffer& value) {
    const auto fill = [&](FutureBlock& block, std::uint64_t index) {
        auto& slot = block.slot(index);
        const SlotState before = slot.state.load(std::memory_order_acquire);
        if (before != SlotState::pending && before != SlotState::kept_elsewhere) {
            return;
        }
        if (state.state == SlotState::failed) {
            slot.failure = std::make_unique<detail::SlotFailure>(
                detail::SlotFailure{state.failure, state.code});
        } else if (state.state == SlotState::value) {
            slot.value = value;
        }
        block.resolve(index, state.state);
    };
    auto [entry, end] = single_.equal_range(state.object);
    for (; entry != end; ++entry) {
        if (const auto block = entry->second.lock()) {
            fill(*block, 0);
        }
    }
    if (auto place = submissions_.upper_bound(state.object); place != submissions_.begin()) {
        const auto& [first, submission] = *--place;
        const std::uint64_t distance =
            static_cast<std::uint64_t>(state.object) - static_cast<std::uint64_t>(first);
        const auto block = submission.block.lock();
        if (block && distance % submission.stride == 0 &&
            distance / submission.stride < submission.count) {
            fill(*block, distance / submission.stride);
        }
    }
}

std::shared_ptr<FutureBlock>
ProcessClient::keep(ObjectId first, std::uint64_t count, std::uint64_t stride) {
    auto block = std::make_shared<FutureBlock>(shared_from_this(), first, count, stride);
    submissions_[first] = {block, stride, count, count};
    return block;
}

ProcessClient::Order ProcessClient::next_order() {
    std::unique_lock lock(mutex_);
    receive_until(lock, [&] { return !orders_.empty() && greeted_; });
    Order order = std::move(orders_.front());
    orders_.pop_front();
    return order;
}

detail::FuturePlace ProcessClient::submit(const detail::FunctionEntry& function,
                                          const TaskOptions& options,
                                          detail::EncodedTasks tasks) {
    detail::FuturePlace place;
    const std::uint64_t count = tasks.tasks.size();
    ask(Submit{0, functions_.id_of(function), options},
        {to_buffer(tasks)},
        [&](const Answer& answer, const Buffer&) {
            place.block = keep(answer.id, count, answer.stride);
        });
    return place;
}

std::shared_ptr<FutureBlock> ProcessClient::put(Buffer value, std::vector<ObjectId> actors) {
    std::shared_ptr<FutureBlock> block;
    ask(Put{0, std::move(actors)}, {value}, [&](const Answer& answer, const Buffer&) {
        block = keep(answer.id, 1, 1);
        block->slot(0).value = value;
        block->slot(0).state.store(SlotState::value, std::memory_order_release);
    });
    return block;
}

void ProcessClient::cancel(ObjectId task) {
    tell(CancelTask{task});
}

void ProcessClient::wait_value(FutureBlock& block, std::uint64_t index) {
    const auto& state = block.slot(index).state;
    const SlotState now = state.load(std::memory_order_acquire);
    if (now == SlotState::pending || now == SlotState::kept_elsewhere) {
        ask(Want{0, block.id(index)}, {});
    }
}

std::optional<std::size_t> ProcessClient::wait_any(detail::CompletionQueue& queue,
                                                   std::optional<Clock::time_point> deadline) {
    poll();
    const auto next = [&] { return queue.next(Clock::time_point::min()); };
    if (const auto ready = next()) {
        return ready;
    }
    ask(WaitBegins{}, {});
    std::optional<std::size_t> ready;
    bool ended = false;
    {
        std::unique_lock lock(mutex_);
        receive_until(
            lock, [&] { return ended_ || (ready = next()).has_value(); }, deadline);
        ended = ended_;
    }
    if (!ready && ended) {
        throw_ended();
    }
    ask(WaitEnds{}, {});
    return ready;
}

void ProcessClient::escape(ObjectId object) {
    tell(Escape{object});
}

std::shared_ptr<FutureBlock> ProcessClient::borrow(ObjectId object) {
    auto block = std::make_shared<FutureBlock>(shared_from_this(), object, 1);
    {
        const std::lock_guard lock(mutex_);
        single_.emplace(object, block);
    }
    tell(Borrow{object});
    return block;
}

void ProcessClient::release(ObjectId object) noexcept {
    try {
        {
            const std::lock_guard lock(mutex_);
            const auto [begin, end] = single_.equal_range(object);
            const auto borrowed = std::find_if(begin, end, [](const auto& entry) {
                const auto block = entry.second.lock();
                return block == nullptr || block->slot(0).handles.load() == 0;
            });
            if (borrowed != end) {
                single_.erase(borrowed);
            } else if (auto place = submissions_.upper_bound(object);
                       place != submissions_.begin() && --(--place)->second.held == 0) {
                submissions_.erase(place);
            }
        }
        const std::lock_guard lock(sending_);
        releases_.push_back(object);
        if (releases_.size() >= releases_at_once) {
            flush_releases();
        }
    } catch (...) {
        // Out of memory: the object is kept until the process ends.
    }
}

std::shared_ptr<detail::ActorBlock> ProcessClient::spawn(const detail::ActorType& type,
                                                         const ActorOptions& options,
                                                         detail::EncodedTasks arguments) {
    const Answer answer = ask(Spawn{0, functions_.id_of(type.constructor), type.saves, options},
                              {to_buffer(arguments)});
    return std::make_shared<detail::ActorBlock>(
        shared_from_this(), answer.id, answer.pending_calls_max, answer.replays);
}

std::shared_ptr<FutureBlock> ProcessClient::call(const detail::ActorBlock& actor,
                                                 const detail::FunctionEntry& method,
                                                 const CallOptions& options,
                                                 detail::EncodedTasks arguments) {
    std::shared_ptr<FutureBlock> block;
    const Answer answer = ask_unless_refused(
        CallActor{0, actor.actor(), functions_.id_of(method), options},
        {to_buffer(arguments)},
        [&](const Answer& found, const Buffer&) { block = keep(found.id, 1, 1); });
    if (!answer.refusal) {
        return block;
    }
    const auto* const caller = detail::current_task();
    if (caller == nullptr || !caller->in_destructor) {
        throw Error(answer.refusal->message, answer.refusal->code);
    }
    block = std::make_shared<FutureBlock>(shared_from_this(), ObjectId{}, 1);
    block->slot(0).state.store(SlotState::abandoned, std::memory_order_release);
    return block;
}

std::shared_ptr<detail::ActorBlock> ProcessClient::find_actor(const std::string& name,
                                                              const char* class_name) {
    const Answer answer = ask(FindActor{0, name, class_name}, {});
    return std::make_shared<detail::ActorBlock>(
        shared_from_this(), answer.id, answer.pending_calls_max, answer.replays);
}

void ProcessClient::kill_actor(ObjectId actor) {
    tell(KillActor{actor});
}

void ProcessClient::escape_actor(ObjectId actor) {
    tell(EscapeActor{actor});
}

std::shared_ptr<detail::ActorBlock>
ProcessClient::borrow_actor(ObjectId actor, std::uint32_t pending_calls_max, bool replays) {
    tell(BorrowActor{actor, pending_calls_max, replays});
    return std::make_shared<detail::ActorBlock>(
        shared_from_this(), actor, pending_calls_max, replays);
}

void ProcessClient::release_actor(ObjectId actor) noexcept {
    try {
        tell(ReleaseActor{actor});
    } catch (...) {
        // Out of memory: the actor lives until the process ends.
    }
}

std::shared_ptr<detail::GroupBlock>
ProcessClient::make_group(std::vector<Bundle> bundles, const PlacementGroupOptions& options) {
    std::shared_ptr<FutureBlock> ready;
    Answer answer = ask(MakeGroup{0, std::move(bundles), options},
                        {},
                        [&](const Answer& made, const Buffer&) { ready = keep(made.id, 1, 1); });
    return std::make_shared<detail::GroupBlock>(
        shared_from_this(), std::move(answer.group).value(), std::move(ready));
}

std::shared_ptr<detail::GroupBlock>
ProcessClient::borrow_group(detail::GroupDescription description) {
    tell(BorrowGroup{description});
    return std::make_shared<detail::GroupBlock>(shared_from_this(), std::move(description));
}

void ProcessClient::remove_group(ObjectId group) {
    tell(RemoveGroup{group});
}

void ProcessClient::release_group(ObjectId group) noexcept {
    try {
        tell(ReleaseGroup{group});
    } catch (...) {
        // Out of memory: the group lives until the process ends.
    }
}

} // namespace muster::runtime::isolate
