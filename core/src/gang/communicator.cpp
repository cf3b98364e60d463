#include "gang/communicator_state.hpp"
#include "trace/tracer.hpp"

#include <muster/core/communicator.hpp>
#include <muster/core/detail/client.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace muster {
namespace {

// A request that nobody waited for may have failed; whoever waits for the next one learns why. If
// it goes because of an exception, what it waits for may never come.
void abandon(const std::shared_ptr<detail::Operation>& operation, int exceptions_before) {
    if (operation) {
        if (!operation->done() && std::uncaught_exceptions() > exceptions_before) {
            operation->give_up();
        }
        operation->await();
    }
}

} // namespace

Request::Request(std::shared_ptr<detail::Operation> operation)
    : operation_(std::move(operation)), exceptions_before_(std::uncaught_exceptions()) {
}

Request& Request::operator=(Request&& other) noexcept {
    if (this != &other) {
        abandon(operation_, exceptions_before_);
        operation_ = std::move(other.operation_);
        exceptions_before_ = other.exceptions_before_;
    }
    return *this;
}

Request::~Request() {
    abandon(operation_, exceptions_before_);
}

void Request::wait() {
    if (const auto operation = std::move(operation_)) {
        operation->await();
        operation->check();
    }
}

bool Request::test() {
    if (operation_ && !operation_->done()) {
        return false;
    }
    wait();
    return true;
}

Communicator::Communicator(std::shared_ptr<detail::CommunicatorState> state)
    : state_(std::move(state)) {
}

Communicator::~Communicator() = default;

const void* Communicator::raw_communicator() {
    return state_->raw_communicator();
}

int Communicator::rank() const noexcept {
    return state_->self();
}

int Communicator::size() const noexcept {
    return state_->size();
}

Rank Communicator::world_rank(int member) const {
    return state_->member(member).rank;
}

Request Communicator::start_send(std::span<const std::byte> data, int to, int tag) {
    return Request(state_->send(data, to, tag));
}

Request Communicator::start_receive(std::span<std::byte> into, int from, int tag) {
    return Request(state_->receive(into, from, tag));
}

namespace {

gang::Collective make_collective(gang::Kind kind,
                                 std::span<const std::byte> data,
                                 std::span<std::byte> result,
                                 detail::ElementType type,
                                 ReduceOp op,
                                 int root) {
    gang::Collective collective;
    collective.call.kind = kind;
    collective.call.type = type;
    collective.call.op = op;
    collective.call.root = root;
    collective.data = data;
    collective.result = result;
    return collective;
}

} // namespace

void Communicator::run(Call call,
                       std::span<const std::byte> data,
                       std::span<std::byte> result,
                       detail::ElementType type,
                       ReduceOp op,
                       int root) {
    static_assert(static_cast<int>(Call::all_to_all) == static_cast<int>(gang::Kind::all_to_all));
    trace::Lane* const lane = trace::current_lane();
    const auto begin = lane == nullptr ? TimePoint{} : std::chrono::steady_clock::now();
    state_->run(make_collective(static_cast<gang::Kind>(call), data, result, type, op, root));
    if (lane != nullptr) {
        const auto* const current = detail::current_task();
        const std::uint64_t bytes = std::max(data.size(), result.size());
        lane->add({.event = trace::Event::collective,
                   .detail = static_cast<std::uint8_t>(call),
                   .small = static_cast<std::uint16_t>(bytes >> 32U),
                   .number = static_cast<std::uint32_t>(bytes),
                   .id = current == nullptr ? 0 : static_cast<std::uint64_t>(current->id),
                   .begin = trace::nanoseconds(begin),
                   .value = static_cast<std::uint64_t>(
                       (std::chrono::steady_clock::now() - begin).count())});
    }
}

Request Communicator::start(Call call,
                            std::span<const std::byte> data,
                            std::span<std::byte> result,
                            detail::ElementType type,
                            ReduceOp op,
                            int root) {
    return Request(state_->start(
        make_collective(static_cast<gang::Kind>(call), data, result, type, op, root)));
}

} // namespace muster
