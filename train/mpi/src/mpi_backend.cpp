#include "backend/narrow_sum.hpp"
#include "backend/ordered_worker.hpp"

#include <muster/base/error.hpp>
#include <muster/core/mpi.hpp>
#include <muster/train/mpi_backend.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <thread>

namespace muster::train {
namespace {

void check_mpi(int code, const char* call) {
    if (code != MPI_SUCCESS) {
        std::string text(MPI_MAX_ERROR_STRING, '\0');
        int length = 0;
        MPI_Error_string(code, text.data(), &length);
        text.resize(static_cast<std::size_t>(length));
        throw Error(fmt::format("{} failed: {}", call, text));
    }
}

MPI_Datatype type_of(ElementType type) {
    switch (type) {
    case ElementType::float32:
        return MPI_FLOAT;
    case ElementType::float64:
        return MPI_DOUBLE;
    case ElementType::uint8:
        return MPI_UINT8_T;
    case ElementType::uint64:
        return MPI_UINT64_T;
    case ElementType::float16:
    case ElementType::bfloat16:
        break;
    }
    return MPI_UINT16_T; // to be moved only
}

MPI_Op operation_of(ReduceOp op) {
    switch (op) {
    case ReduceOp::product:
        return MPI_PROD;
    case ReduceOp::min:
        return MPI_MIN;
    case ReduceOp::max:
        return MPI_MAX;
    case ReduceOp::sum:
        break;
    }
    return MPI_SUM;
}

/// What MPI counts with. Larger tensors would need MPI 4.
int count_of(std::size_t elements) {
    if (elements > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw UsageError(fmt::format(
            "a collective of {} elements: MPI's own take at most 2^31 - 1; split it, or use the "
            "communicator back end",
            elements));
    }
    return static_cast<int>(elements);
}

/// Without pauses: MPI moves data in MPI_Test only, and large collectives in many steps.
void wait_for(MPI_Request& request, const std::stop_token& stop) {
    for (int is_done = 0; is_done == 0;) {
        check_mpi(MPI_Test(&request, &is_done, MPI_STATUS_IGNORE), "MPI_Test");
        if (is_done == 0 && stop.stop_requested()) {
            throw Error("this member gave up the operations of its back end", ErrorCode::aborted);
        }
        if (is_done == 0) {
            std::this_thread::yield();
        }
    }
}

class MpiBackend final : public Backend {
public:
    explicit MpiBackend(MPI_Comm of_gang) {
        check_mpi(MPI_Comm_dup(of_gang, &mpi_), "MPI_Comm_dup");
        check_mpi(MPI_Comm_set_errhandler(mpi_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
        check_mpi(MPI_Comm_rank(mpi_, &rank_), "MPI_Comm_rank");
        check_mpi(MPI_Comm_size(mpi_, &size_), "MPI_Comm_size");
        worker_ = std::make_unique<OrderedWorker>();
    }

    MpiBackend(const MpiBackend&) = delete;
    MpiBackend& operator=(const MpiBackend&) = delete;

    /// Where a collective was abandoned, the communicator cannot be freed by all.
    ~MpiBackend() override {
        worker_.reset();
        if (!is_abandoned_) {
            MPI_Comm_free(&mpi_);
        }
    }

    std::string_view name() const noexcept override { return "mpi"; }

    int rank() const noexcept override { return rank_; }

    int size() const noexcept override { return size_; }

private:
    std::unique_ptr<Pending> start(const Call& call) override {
        return worker_->submit([this, call](const std::stop_token& stop) {
            try {
                carry_out(call, stop);
            } catch (...) {
                is_abandoned_ = true;
                throw;
            }
        });
    }

    void carry_out(const Call& call, const std::stop_token& stop) {
        const ElementType element = call.result.type;
        const bool is_narrow = element == ElementType::float16 || element == ElementType::bfloat16;
        if (is_narrow && call.kind == Kind::all_reduce) {
            return narrow_sum_.all_reduce(size_, call.result, Move{*this, stop});
        }
        if (is_narrow && call.kind == Kind::reduce_scatter) {
            return narrow_sum_.reduce_scatter(call.data, call.result, Move{*this, stop});
        }
        const MPI_Datatype type = type_of(element);
        const MPI_Op op = operation_of(call.op);
        const int count = count_of(call.result.elements);
        MPI_Request request = MPI_REQUEST_NULL;
        switch (call.kind) {
        case Kind::all_reduce:
            check_mpi(
                MPI_Iallreduce(MPI_IN_PLACE, call.result.data, count, type, op, mpi_, &request),
                "MPI_Iallreduce");
            break;
        case Kind::reduce_scatter:
            check_mpi(MPI_Ireduce_scatter_block(
                          call.data.data, call.result.data, count, type, op, mpi_, &request),
                      "MPI_Ireduce_scatter_block");
            break;
        case Kind::all_gather:
            gather(call.data, call.result, type, request);
            break;
        case Kind::broadcast:
            check_mpi(MPI_Ibcast(call.result.data, count, type, call.root, mpi_, &request),
                      "MPI_Ibcast");
            break;
        }
        wait_for(request, stop);
    }

    void gather(const ConstTensor& data,
                const Tensor& result,
                MPI_Datatype type,
                MPI_Request& request) const {
        const int count = count_of(data.elements);
        const auto* const place = static_cast<const std::byte*>(result.data) +
                                  static_cast<std::size_t>(rank_) * data.size_bytes();
        const bool is_in_place = data.data == place;
        check_mpi(MPI_Iallgather(is_in_place ? MPI_IN_PLACE : data.data,
                                 count,
                                 type,
                                 result.data,
                                 count,
                                 type,
                                 mpi_,
                                 &request),
                  "MPI_Iallgather");
    }

    struct Move {
        const MpiBackend& backend;
        const std::stop_token& stop;

        void all_to_all(std::span<const std::uint16_t> data,
                        std::span<std::uint16_t> result) const {
            MPI_Request request = MPI_REQUEST_NULL;
            const int count = count_of(data.size() / static_cast<std::size_t>(backend.size_));
            check_mpi(MPI_Ialltoall(data.data(),
                                    count,
                                    MPI_UINT16_T,
                                    result.data(),
                                    count,
                                    MPI_UINT16_T,
                                    backend.mpi_,
                                    &request),
                      "MPI_Ialltoall");
            wait_for(request, stop);
        }

        void all_gather(std::span<const std::uint16_t> data,
                        std::span<std::uint16_t> result) const {
            MPI_Request request = MPI_REQUEST_NULL;
            backend.gather({data.data(), data.size(), ElementType::float16},
                           {result.data(), result.size(), ElementType::float16},
                           MPI_UINT16_T,
                           request);
            wait_for(request, stop);
        }
    };

    MPI_Comm mpi_ = MPI_COMM_NULL;
    int rank_ = 0;
    int size_ = 1;
    NarrowSum narrow_sum_;      ///< The worker's.
    bool is_abandoned_ = false; ///< The worker's, until it has ended.
    std::unique_ptr<OrderedWorker> worker_;
};

} // namespace

std::unique_ptr<Backend> make_mpi_backend(Communicator& communicator) {
    return std::make_unique<MpiBackend>(mpi_communicator(communicator));
}

} // namespace muster::train
