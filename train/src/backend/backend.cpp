#include <muster/base/error.hpp>
#include <muster/train/backend.hpp>

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace muster::train {

Event::Event(std::unique_ptr<Pending> pending)
    : pending_(std::move(pending)), exceptions_before_(std::uncaught_exceptions()) {
}

Event& Event::operator=(Event&& other) noexcept {
    if (this != &other) {
        abandon();
        pending_ = std::move(other.pending_);
        exceptions_before_ = other.exceptions_before_;
    }
    return *this;
}

Event::~Event() {
    abandon();
}

// One that nobody waited for may have failed; whoever waits for the next learns why.
void Event::abandon() noexcept {
    if (!pending_) {
        return;
    }
    if (std::uncaught_exceptions() > exceptions_before_) {
        pending_->give_up();
    } else {
        try {
            pending_->wait();
        } catch (const std::exception&) { // see above
        }
    }
    pending_.reset();
}

void Event::wait() {
    if (const auto pending = std::move(pending_)) {
        pending->wait();
    }
}

bool Event::test() {
    if (pending_ && !pending_->done()) {
        return false;
    }
    wait();
    return true;
}

Event Backend::all_reduce(Tensor data, ReduceOp op) {
    const Call call{.kind = Kind::all_reduce, .data = data, .result = data, .op = op};
    check(call);
    return Event(start(call));
}

Event Backend::reduce_scatter(ConstTensor data, Tensor result, ReduceOp op) {
    const Call call{.kind = Kind::reduce_scatter, .data = data, .result = result, .op = op};
    check(call);
    return Event(start(call));
}

Event Backend::all_gather(ConstTensor data, Tensor result) {
    const Call call{.kind = Kind::all_gather, .data = data, .result = result};
    check(call);
    return Event(start(call));
}

Event Backend::broadcast(Tensor data, int root) {
    const Call call{.kind = Kind::broadcast, .data = data, .result = data, .root = root};
    check(call);
    return Event(start(call));
}

void Backend::check(const Call& call) const {
    const auto members = static_cast<std::size_t>(size());
    if (call.data.type != call.result.type) {
        throw UsageError(fmt::format("a collective from {} to {}: both must have one type",
                                     train::name_of(call.data.type),
                                     train::name_of(call.result.type)));
    }
    if (!reaches(call.data.device) || !reaches(call.result.device)) {
        throw UsageError(fmt::format(
            "back end {} does not reach the {} memory of a tensor",
            name(),
            (reaches(call.data.device) ? call.result : Tensor(nullptr, 0, {}, call.data.device))
                        .device.kind == Device::Kind::cpu
                ? "CPU"
                : "CUDA"));
    }
    if ((call.kind == Kind::reduce_scatter &&
         call.data.elements != members * call.result.elements) ||
        (call.kind == Kind::all_gather && call.result.elements != members * call.data.elements)) {
        throw UsageError(fmt::format(
            "{} elements were given for {} elements of each of {} members; the one must be the "
            "product of the others",
            std::max(call.data.elements, call.result.elements),
            std::min(call.data.elements, call.result.elements),
            members));
    }
    if (call.kind == Kind::broadcast && (call.root < 0 || call.root >= size())) {
        throw UsageError(
            fmt::format("root {} of a broadcast among {} members", call.root, members));
    }
    const bool is_narrow =
        call.result.type == ElementType::float16 || call.result.type == ElementType::bfloat16;
    if (is_narrow && call.op != ReduceOp::sum) {
        throw UsageError(fmt::format("{} elements can be summed, not otherwise reduced",
                                     train::name_of(call.result.type)));
    }
}

} // namespace muster::train
