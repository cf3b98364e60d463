// The part of Executors that plays members of gangs.

#include "executors.hpp"
#include "failure.hpp"

#include <cstring>
#include <utility>

namespace muster::sim {
namespace {

std::byte filling(LeaseId gang, std::int32_t from, std::uint64_t number, std::size_t i) {
    const auto seed = static_cast<std::uint64_t>(gang) * 31 + static_cast<std::uint64_t>(from) * 7 +
                      number * 3 + i;
    return static_cast<std::byte>(seed & 0xff);
}

} // namespace

void Executors::join_gang(Context& context,
                          std::shared_ptr<const wire::Gang> gang,
                          std::int32_t member) {
    require(gang->members.at(static_cast<std::size_t>(member)) == self_,
            "a member came to another rank than its gang says");
    world_.statistics.took(Path::gang_started, member == 0 ? 1 : 0);
    context.gang = std::move(gang);
    context.member = member;
    context.port = std::make_shared<Port>(Port{context.id, false});
    post_(rank::GangOpened{context.gang->id, context.gang->members, member, context.port});
}

void Executors::leave_gang(Context& context) {
    require(context.passing == nullptr, "a member ended while a message was under way");
    post_(rank::GangClosed{context.gang->id, context.member});
}

Executors::Next Executors::perform(Context& context, const Pass& step) {
    if (context.passing) {
        return finish_pass(context);
    }
    if (context.port->aborted) {
        return Next::fail;
    }
    const auto size = static_cast<std::int32_t>(context.gang->members.size());
    const std::int32_t next = (context.member + 1) % size;
    const std::int32_t before = (context.member + size - 1) % size;
    const std::uint64_t number = ++context.passed;
    auto passing = std::make_shared<Passing>();
    passing->context = context.id;
    passing->received.resize(step.bytes);
    passing->sent.resize(step.bytes);
    for (std::size_t i = 0; i < step.bytes; ++i) {
        passing->sent[i] = filling(context.gang->id, context.member, number, i);
    }
    passing->pending = 2;
    context.passing = passing;
    const std::uint64_t tag = number % 3;
    // The sender's own memory, as the runtime hands it in.
    const std::shared_ptr<const std::byte[]> memory(std::shared_ptr<void>(), passing->sent.data());
    post_(rank::GangSend{{context.gang->id, context.member, next, tag},
                         Buffer(memory, step.bytes),
                         std::make_shared<Half>(Half{passing, false})});
    post_(rank::GangReceive{{context.gang->id, before, context.member, tag},
                            passing->received.data(),
                            step.bytes,
                            std::make_shared<Half>(Half{passing, false})});
    post_(rank::GangAsked{{context.gang->id, before, context.member, tag}});
    return Next::wait;
}

Executors::Next Executors::finish_pass(Context& context) {
    const Passing& passing = *context.passing;
    if (passing.pending > 0) {
        return Next::wait;
    }
    const auto size = static_cast<std::int32_t>(context.gang->members.size());
    const std::int32_t before = (context.member + size - 1) % size;
    for (std::size_t i = 0; !passing.failed && i < passing.received.size(); ++i) {
        require(passing.received[i] == filling(context.gang->id, before, context.passed, i),
                "a message between members came with other bytes");
    }
    const bool failed = passing.failed;
    context.passing.reset();
    return failed ? Next::fail : Next::go_on;
}

Executors::Next Executors::perform(Context& context, const ThrowOne& step) {
    const auto size = static_cast<std::int32_t>(context.gang->members.size());
    if (step.member % size != context.member) {
        return Next::go_on;
    }
    world_.oracle.threw(*context.task);
    return Next::fail;
}

Executors::Next Executors::perform(Context& context, const LeaveOne& step) {
    const auto size = static_cast<std::int32_t>(context.gang->members.size());
    if (step.member % size == context.member) {
        context.position = context.program->steps.size() - 1; // there is no next step
    }
    return Next::go_on;
}

void Executors::place(const wire::PlaceMessage& order) {
    if (!order.data.empty()) {
        std::memcpy(order.into, order.data.bytes().data(), order.data.size());
    }
    world_.statistics.took(Path::message_placed);
    settled(order.completion, false);
}

void Executors::settle(const wire::SettleMessage& order) {
    settled(order.completion, !order.why.empty());
}

void Executors::settled(const std::shared_ptr<void>& completion, bool failed) {
    const auto half = std::static_pointer_cast<Half>(completion);
    require(!std::exchange(half->settled, true), "a message was settled twice");
    half->passing->failed = half->passing->failed || failed;
    if (--half->passing->pending > 0) {
        return;
    }
    if (const auto place = contexts_.find(half->passing->context); place != contexts_.end()) {
        plan(place->second, wake_delay());
    }
}

void Executors::abort(const wire::AbortMember& order) {
    const auto port = std::static_pointer_cast<Port>(order.port);
    require(!std::exchange(port->aborted, true), "a member was released twice");
    world_.statistics.took(Path::member_released);
}

} // namespace muster::sim
