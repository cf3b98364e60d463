#include "gang/communicator_state.hpp"

#include "gang/message_engine.hpp"
#include "gang/patience.hpp"
#include "gang/shared_engine.hpp"
#include "gang/transfers.hpp"
#include "wire/gang_tags.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::detail {
namespace {

void require_memory(const char* what, const void* data, std::size_t size) {
    if (data == nullptr && size > 0) {
        throw UsageError(fmt::format("{}: no memory for {} bytes of data", what, size));
    }
}

} // namespace

void QueuedOperation::run() {
    try {
        work_();
    } catch (...) {
        failure_ = std::current_exception(); // Thrown by check().
    }
    work_ = nullptr;
    state_.store(1, std::memory_order_release);
    gang::futex::wake(state_);
}

void QueuedOperation::await() {
    gang::Patience patience;
    while (!done()) {
        if (!patience.pass()) {
            gang::futex::sleep(state_, 0, gang::Patience::sleep_max);
        }
    }
}

void QueuedOperation::check() {
    if (failure_) {
        std::rethrow_exception(failure_);
    }
}

void MessageOperation::await() {
    state_->await(*completion_, awaited_);
}

void MessageOperation::check() {
    state_->check(*completion_);
}

void MessageOperation::give_up() {
    state_->give_up();
}

CommunicatorState::CommunicatorState(gang::Setup setup)
    : setup_(std::move(setup)), ending_(setup_.stop) {
    MUSTER_ASSERT(setup_.self >= 0 && setup_.self < size());
    on_stop_.emplace(setup_.stop, [this] { wake(); });
}

CommunicatorState::~CommunicatorState() {
    on_stop_.reset();
    {
        const std::lock_guard lock(queue_mutex_);
        closing_ = true;
    }
    queue_changed_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

const gang::Member& CommunicatorState::member(int member) const {
    if (member < 0 || member >= size()) {
        throw UsageError(fmt::format("member {} is not in a gang of {}", member, size()));
    }
    return setup_.members[static_cast<std::size_t>(member)];
}

void CommunicatorState::abort(std::string why) {
    ending_.end(ErrorCode::aborted, std::move(why));
    wake();
}

void CommunicatorState::give_up() {
    abort("this member of the gang has left what it had begun with an exception");
}

void CommunicatorState::wake() {
    const std::lock_guard lock(engine_mutex_);
    if (engine_) {
        engine_->wake();
    }
}

void CommunicatorState::validate(const gang::Collective& collective) const {
    using gang::Kind;
    const auto& [call, data, result] = collective;
    const char* const what = gang::name_of(call.kind);
    require_memory(what, data.data(), data.size());
    require_memory(what, result.data(), result.size());
    const auto n = static_cast<std::size_t>(size());
    if (call.kind == Kind::broadcast || call.kind == Kind::reduce) {
        if (call.root < 0 || call.root >= size()) {
            throw UsageError(fmt::format(
                "{}: root {} is not a member of a gang of {}", what, call.root, size()));
        }
    }
    const auto refuse = [&](const char* rule) {
        throw UsageError(fmt::format("{} in a gang of {}: data of {} bytes, result of {}; {}",
                                     what,
                                     size(),
                                     data.size(),
                                     result.size(),
                                     rule));
    };
    switch (call.kind) {
    case Kind::reduce:
        if (self() == call.root && result.size() != data.size()) {
            refuse("at the root they have the same size");
        }
        return;
    case Kind::reduce_scatter:
        if (data.size() / n != result.size() || data.size() % n != 0) {
            refuse("data has a part of the result's size for each member");
        }
        return;
    case Kind::all_gather:
        if (result.size() / n != data.size() || result.size() % n != 0) {
            refuse("the result has a part of the data's size for each member");
        }
        return;
    case Kind::all_to_all:
        if (result.size() != data.size() || data.size() / gang::size_of(call.type) % n != 0) {
            refuse("both have a part for each member, all of one size");
        }
        return;
    case Kind::barrier:
    case Kind::broadcast:
    case Kind::all_reduce:
    case Kind::returned:
        return;
    }
}

namespace {

// The size that must be the same on all members.
std::uint64_t compared_bytes(const gang::Collective& collective, std::uint64_t n) {
    switch (collective.call.kind) {
    case gang::Kind::barrier:
    case gang::Kind::returned:
        return 0;
    case gang::Kind::broadcast:
    case gang::Kind::all_reduce:
    case gang::Kind::reduce_scatter:
        return collective.result.size();
    case gang::Kind::reduce:
    case gang::Kind::all_gather:
        return collective.data.size();
    case gang::Kind::all_to_all:
        return collective.data.size() / n;
    }
    return 0;
}

} // namespace

void CommunicatorState::run(gang::Collective collective) {
    validate(collective);
    collective.call.bytes = compared_bytes(collective, static_cast<std::uint64_t>(size()));
    collective.call.sequence = sequence_++;
    run_in_order([collective](gang::Engine& engine) { engine.run(collective); });
}

std::shared_ptr<Operation> CommunicatorState::start(gang::Collective collective) {
    validate(collective);
    collective.call.bytes = compared_bytes(collective, static_cast<std::uint64_t>(size()));
    collective.call.sequence = sequence_++;
    return enqueue([collective](gang::Engine& engine) { engine.run(collective); });
}

std::vector<Buffer> CommunicatorState::gather(Buffer own) {
    setup_.channel->returned();
    gang::Descriptor call;
    call.kind = gang::Kind::returned;
    call.sequence = sequence_++;
    std::vector<Buffer> values;
    run_in_order([&](gang::Engine& engine) { values = engine.gather(call, own); });
    return values;
}

const void* CommunicatorState::raw_communicator() {
    if (!setup_.raw_communicator) {
        throw UsageError("this gang has no MPI communicator: ask for one with `.raw_mpi = true`");
    }
    // MPI cannot be abandoned: nobody enters it before all members are here.
    run({{.kind = gang::Kind::barrier}, {}, {}});
    return setup_.raw_communicator();
}

void CommunicatorState::run_in_order(std::function<void(gang::Engine&)> work) {
    bool is_idle = false;
    {
        const std::lock_guard lock(queue_mutex_);
        is_idle = unfinished_ == 0;
    }
    if (is_idle) { // And stays so: only this thread adds to the queue.
        return perform(work);
    }
    const auto operation = enqueue(std::move(work));
    operation->await();
    operation->check();
}

std::shared_ptr<QueuedOperation>
CommunicatorState::enqueue(std::function<void(gang::Engine&)> work) {
    auto operation = std::make_shared<QueuedOperation>(
        [this, work = std::move(work)] { perform(work); }, [this] { give_up(); });
    {
        const std::lock_guard lock(queue_mutex_);
        queue_.push_back(operation);
        ++unfinished_;
        if (!thread_.joinable()) {
            thread_ = std::thread([this] { serve(); });
        }
    }
    queue_changed_.notify_one();
    return operation;
}

void CommunicatorState::serve() {
    std::unique_lock lock(queue_mutex_);
    while (true) {
        queue_changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
        if (queue_.empty()) {
            return;
        }
        const auto operation = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        operation->run();
        lock.lock();
        --unfinished_;
    }
}

// After a failure members are not in step any more, so that it stays the reason of all that follow.
void CommunicatorState::perform(const std::function<void(gang::Engine&)>& work) {
    ending_.check();
    try {
        work(engine());
    } catch (const Error& error) {
        ending_.end(error.code(), error.what());
        throw;
    } catch (const std::exception& error) {
        ending_.end(ErrorCode::failed, error.what());
        throw;
    }
}

gang::Engine& CommunicatorState::engine() {
    if (!engine_) {
        auto made = make_engine();
        const std::lock_guard lock(engine_mutex_);
        engine_ = std::move(made);
    }
    return *engine_;
}

// Collective, at the first one: all members come to the same decision.
std::unique_ptr<gang::Engine> CommunicatorState::make_engine() {
    const auto& members = setup_.members;
    const bool is_one_node = std::all_of(members.begin(), members.end(), [&](const auto& member) {
        return member.node == members.front().node;
    });
    if (size() > 1 && is_one_node && setup_.shared_memory) {
        auto segment = setup_.segment;
        if (!segment) {
            segment = gang::share_segment(setup_.id,
                                          self(),
                                          members,
                                          setup_.piece_bytes > 0
                                              ? setup_.piece_bytes
                                              : gang::SegmentLayout::chunk_bytes_default,
                                          *setup_.channel,
                                          ending_);
        }
        if (segment) {
            return std::make_unique<gang::SharedEngine>(
                self(), members, std::move(segment), ending_);
        }
    }
    return std::make_unique<gang::MessageEngine>(
        setup_.self,
        setup_.members,
        *setup_.channel,
        ending_,
        setup_.piece_bytes > 0 ? setup_.piece_bytes : gang::MessageEngine::piece_bytes_default);
}

void CommunicatorState::validate_message(
    const char* what, const void* data, std::size_t size, int peer, int tag) const {
    require_memory(what, data, size);
    if (peer < 0 || peer >= this->size()) {
        throw UsageError(
            fmt::format("{}: {} is not a member of a gang of {}", what, peer, this->size()));
    }
    if (tag < 0) {
        throw UsageError(fmt::format("{}: tag {} is negative", what, tag));
    }
}

std::shared_ptr<Operation>
CommunicatorState::send(std::span<const std::byte> data, int to, int tag) {
    validate_message("send", data.data(), data.size(), to, tag);
    ending_.check();
    auto completion = std::make_shared<gang::Completion>();
    setup_.channel->send(to, wire::tag_of_users | static_cast<gang::Tag>(tag), data, completion);
    return std::make_shared<MessageOperation>(
        shared_from_this(), std::move(completion), std::nullopt);
}

std::shared_ptr<Operation>
CommunicatorState::receive(std::span<std::byte> into, int from, int tag) {
    validate_message("receive", into.data(), into.size(), from, tag);
    ending_.check();
    auto completion = std::make_shared<gang::Completion>();
    const gang::Tag channel_tag = wire::tag_of_users | static_cast<gang::Tag>(tag);
    setup_.channel->receive(from, channel_tag, into, completion);
    return std::make_shared<MessageOperation>(
        shared_from_this(), std::move(completion), std::pair{from, channel_tag});
}

void CommunicatorState::await(const gang::Completion& completion,
                              const std::optional<std::pair<int, gang::Tag>>& awaited) {
    gang::Patience patience;
    while (awaited && completion.pending() && !ending_.ended()) {
        if (!patience.pass()) {
            completion.sleep(gang::Patience::sleep_max);
            if (completion.pending()) {
                setup_.channel->ask(awaited->first, awaited->second);
            }
            break;
        }
    }
    try {
        gang::await(completion, ending_, *setup_.channel);
    } catch (const Error&) {
        MUSTER_ASSERT(!completion.pending()); // check() tells.
    }
}

void CommunicatorState::check(const gang::Completion& completion) {
    gang::await(completion, ending_, *setup_.channel);
}

} // namespace muster::detail
