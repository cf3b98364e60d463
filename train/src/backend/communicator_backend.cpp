#include "backend/narrow_sum.hpp"
#include "backend/ordered_worker.hpp"

#include <muster/base/error.hpp>
#include <muster/train/backend.hpp>

#include <optional>
#include <utility>

namespace muster::train {
namespace {

bool is_narrow(ElementType type) {
    return type == ElementType::float16 || type == ElementType::bfloat16;
}

/// Calls f(a null pointer to the type); narrow floats as the words they are.
template <class F>
Request with_type(ElementType type, F f) {
    switch (type) {
    case ElementType::float32:
        return f(static_cast<float*>(nullptr));
    case ElementType::float64:
        return f(static_cast<double*>(nullptr));
    case ElementType::uint8:
        return f(static_cast<std::uint8_t*>(nullptr));
    case ElementType::uint64:
        return f(static_cast<std::uint64_t*>(nullptr));
    case ElementType::float16:
    case ElementType::bfloat16:
        break;
    }
    return f(static_cast<std::uint16_t*>(nullptr));
}

class RequestPending final : public Pending {
public:
    explicit RequestPending(Request request) : request_(std::move(request)) {}

    bool done() override { return request_->test(); }

    void wait() override { request_->wait(); }

    // A request that an exception destroys gives up by itself; this event is destroyed by one.
    void give_up() noexcept override { request_.reset(); }

private:
    std::optional<Request> request_;
};

class CommunicatorBackend final : public Backend {
public:
    explicit CommunicatorBackend(Communicator& communicator) : communicator_(communicator) {}

    std::string_view name() const noexcept override { return "communicator"; }

    int rank() const noexcept override { return communicator_.rank(); }

    int size() const noexcept override { return communicator_.size(); }

private:
    std::unique_ptr<Pending> start(const Call& call) override {
        if (is_sum_of_narrow(call) && size() > 1 && !worker_) {
            worker_.emplace(); // On all members at this call, so all keep one order.
        }
        if (!worker_) {
            return std::make_unique<RequestPending>(begin(call));
        }
        return worker_->submit([this, call](const std::stop_token& stop) {
            if (!is_sum_of_narrow(call)) {
                finish(begin(call), stop);
            } else if (call.kind == Kind::all_reduce) {
                narrow_sum_.all_reduce(size(), call.result, Move{*this, stop});
            } else {
                narrow_sum_.reduce_scatter(call.data, call.result, Move{*this, stop});
            }
        });
    }

    static bool is_sum_of_narrow(const Call& call) {
        return is_narrow(call.result.type) &&
               (call.kind == Kind::all_reduce || call.kind == Kind::reduce_scatter);
    }

    Request begin(const Call& call) {
        return with_type(call.result.type, [&]<class T>(T*) {
            const std::span<const T> data(static_cast<const T*>(call.data.data),
                                          call.data.elements);
            const std::span<T> result(static_cast<T*>(call.result.data), call.result.elements);
            switch (call.kind) {
            case Kind::all_reduce:
                return communicator_.all_reduce_async(result, call.op);
            case Kind::reduce_scatter:
                return communicator_.reduce_scatter_async(data, result, call.op);
            case Kind::all_gather:
                break;
            case Kind::broadcast:
                return communicator_.broadcast_async(result, call.root);
            }
            return communicator_.all_gather_async(data, result);
        });
    }

    // A request is destroyed by the exception of poll(), and gives up.
    static void finish(Request request, const std::stop_token& stop) {
        poll(stop, [&] { return request.test(); });
    }

    struct Move {
        CommunicatorBackend& backend;
        const std::stop_token& stop;

        void all_to_all(std::span<const std::uint16_t> data,
                        std::span<std::uint16_t> result) const {
            finish(backend.communicator_.all_to_all_async(data, result), stop);
        }

        void all_gather(std::span<const std::uint16_t> data,
                        std::span<std::uint16_t> result) const {
            finish(backend.communicator_.all_gather_async(data, result), stop);
        }
    };

    Communicator& communicator_;
    NarrowSum narrow_sum_;                ///< The worker's.
    std::optional<OrderedWorker> worker_; ///< Last: it ends before what it uses.
};

} // namespace

std::unique_ptr<Backend> make_communicator_backend(Communicator& communicator) {
    return std::make_unique<CommunicatorBackend>(communicator);
}

} // namespace muster::train
