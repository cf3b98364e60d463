#include "nccl_call.hpp"
#include "nccl_features.hpp"

#include <muster/train/nccl_backend.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

namespace muster::train {
namespace {

using Clock = std::chrono::steady_clock;

ncclDataType_t type_of(ElementType type) {
    switch (type) {
    case ElementType::float32:
        return ncclFloat32;
    case ElementType::float64:
        return ncclFloat64;
    case ElementType::float16:
        return ncclFloat16;
    case ElementType::bfloat16:
        return ncclBfloat16;
    case ElementType::uint64:
        return ncclUint64;
    case ElementType::uint8:
        break;
    }
    return ncclUint8;
}

ncclRedOp_t operation_of(ReduceOp op) {
    switch (op) {
    case ReduceOp::product:
        return ncclProd;
    case ReduceOp::min:
        return ncclMin;
    case ReduceOp::max:
        return ncclMax;
    case ReduceOp::sum:
        break;
    }
    return ncclSum;
}

/// Calls `is_done` until it is true, with short pauses. @return false if the time was up before.
bool wait_until(Clock::time_point deadline, const std::function<bool()>& is_done) {
    for (int calls = 0; !is_done(); ++calls) {
        if (Clock::now() >= deadline) {
            return false;
        }
        if (calls < 1000) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    }
    return true;
}

/// A communicator of NCCL's, until it is aborted.
class NcclCommunicator {
public:
    NcclCommunicator() = default;
    NcclCommunicator(const NcclCommunicator&) = delete;
    NcclCommunicator& operator=(const NcclCommunicator&) = delete;

    ~NcclCommunicator() { abort(); }

    [[nodiscard]] ncclComm_t get() const { return comm_; }

    [[nodiscard]] ncclComm_t* put() { return &comm_; }

    void abort() noexcept {
        if (comm_ != nullptr) {
            (void)ncclCommAbort(std::exchange(comm_, nullptr));
        }
    }

    /// Leaves in peace, once nothing is under way.
    void finish(Clock::time_point deadline) noexcept {
        if (comm_ == nullptr) {
            return;
        }
        (void)ncclCommFinalize(comm_);
        ncclResult_t state = ncclInProgress;
        const bool in_time = wait_until(deadline, [&] {
            return ncclCommGetAsyncError(comm_, &state) != ncclSuccess || state != ncclInProgress;
        });
        if (in_time && state == ncclSuccess) {
            (void)ncclCommDestroy(std::exchange(comm_, nullptr));
        }
        abort();
    }

    /// Waits for what NCCL does beside the callers' thread.
    void settle(Clock::time_point deadline, const char* call) {
        ncclResult_t state = ncclSuccess;
        const bool in_time = wait_until(deadline, [&] {
            check_nccl(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError", comm_);
            return state != ncclInProgress;
        });
        if (!in_time) {
            abort();
            throw Error(fmt::format("{}: not all members came in time", call),
                        ErrorCode::timed_out);
        }
        if (state == ncclRemoteError) {
            throw Error(fmt::format("{}: another member failed", call), ErrorCode::aborted);
        }
        check_nccl(state, call, comm_);
    }

private:
    ncclComm_t comm_ = nullptr;
};

ncclConfig_t non_blocking() {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    return config;
}

class NcclBackendOf final : public NcclBackend {
public:
    NcclBackendOf(int device, int rank, int size, const ncclUniqueId& id, NcclOptions options)
        : device_(device), rank_(rank), size_(size), options_(options) {
        check_cuda(cudaSetDevice(device_), "cudaSetDevice");
        stream_.emplace();
        check_nccl(ncclGetVersion(&version_), "ncclGetVersion");
        ncclConfig_t config = non_blocking();
        check_nccl(ncclCommInitRankConfig(nccl_.put(), size, id, rank, &config),
                   "ncclCommInitRankConfig");
        nccl_.settle(deadline(), "ncclCommInitRankConfig");
    }

    ~NcclBackendOf() override {
        if (is_failed_) {
            nccl_.abort();
        } else {
            nccl_.finish(deadline());
        }
    }

    std::string_view name() const noexcept override { return "nccl"; }

    int rank() const noexcept override { return rank_; }

    int size() const noexcept override { return size_; }

    int version() const noexcept override { return version_; }

    bool reaches(Device device) const noexcept override {
        return device.kind == Device::Kind::cuda && device.index == device_;
    }

    void wait_for_stream(void* stream) override {
        const StreamPoint point(static_cast<cudaStream_t>(stream));
        check_cuda(cudaStreamWaitEvent(stream_->get(), point.get(), 0), "cudaStreamWaitEvent");
    }

    bool can_shrink() const noexcept override { return features().shrink != nullptr; }

    void shrink(std::span<const int> lost_ranks) override {
        if (!can_shrink() || nccl_.get() == nullptr) {
            throw Error(fmt::format("NCCL {} cannot shrink this communicator{}",
                                    version_,
                                    can_shrink() ? ", which was aborted" : "; 2.27 and later can"));
        }
        std::vector<int> lost(lost_ranks.begin(), lost_ranks.end());
        std::sort(lost.begin(), lost.end());
        NcclCommunicator rest;
        ncclConfig_t config = non_blocking();
        check_nccl(features().shrink(nccl_.get(),
                                     lost.data(),
                                     static_cast<int>(lost.size()),
                                     rest.put(),
                                     &config,
                                     shrink_abort),
                   "ncclCommShrink",
                   nccl_.get());
        rest.settle(deadline(), "ncclCommShrink");
        std::swap(*nccl_.put(), *rest.put());
        rank_ -= static_cast<int>(std::lower_bound(lost.begin(), lost.end(), rank_) - lost.begin());
        size_ -= static_cast<int>(lost.size());
        is_failed_ = false;
    }

    /// @throws what the communicator failed with, once it is aborted.
    bool is_reached(const StreamPoint& point) {
        ncclResult_t state = ncclSuccess;
        if (!is_failed_ && nccl_.get() != nullptr) {
            check_nccl(ncclCommGetAsyncError(nccl_.get(), &state), "ncclCommGetAsyncError");
        }
        if (state != ncclSuccess && state != ncclInProgress) {
            const std::string text = fmt::format(
                "a collective of member {} failed: {}", rank_, ncclGetErrorString(state));
            fail();
            throw Error(text, ErrorCode::aborted);
        }
        if (is_failed_) {
            throw Error("the NCCL communicator of this member was aborted", ErrorCode::aborted);
        }
        return point.is_reached();
    }

    void wait(const StreamPoint& point) {
        if (!wait_until(deadline(), [&] { return is_reached(point); })) {
            fail();
            throw Error(fmt::format("a collective of member {} took longer than {} ms; it was "
                                    "aborted",
                                    rank_,
                                    options_.timeout.count()),
                        ErrorCode::timed_out);
        }
    }

    /// Returns once the stream touches nobody's memory any more. A communicator that can be revoked
    /// stays, for shrink().
    void fail() noexcept {
        is_failed_ = true;
        if (can_shrink() && features().revoke != nullptr && nccl_.get() != nullptr) {
            (void)features().revoke(nccl_.get(), 0);
        } else {
            nccl_.abort();
        }
        (void)cudaStreamSynchronize(stream_->get());
    }

private:
    class PointPending final : public Pending {
    public:
        PointPending(NcclBackendOf& backend, StreamPoint point)
            : backend_(backend), point_(std::move(point)) {}

        bool done() override { return backend_.is_reached(point_); }

        void wait() override { backend_.wait(point_); }

        void give_up() noexcept override { backend_.fail(); }

    private:
        NcclBackendOf& backend_;
        StreamPoint point_;
    };

    std::unique_ptr<Pending> start(const Call& call) override {
        if (is_failed_) {
            throw Error("the NCCL communicator of this member was aborted", ErrorCode::aborted);
        }
        check_cuda(cudaSetDevice(device_), "cudaSetDevice");
        const ncclDataType_t type = type_of(call.result.type);
        const ncclRedOp_t op = operation_of(call.op);
        const void* const data = call.data.data;
        void* const result = call.result.data;
        const ncclComm_t comm = nccl_.get();
        const cudaStream_t stream = stream_->get();
        switch (call.kind) {
        case Kind::all_reduce:
            check_nccl(ncclAllReduce(data, result, call.result.elements, type, op, comm, stream),
                       "ncclAllReduce",
                       comm);
            break;
        case Kind::reduce_scatter:
            check_nccl(
                ncclReduceScatter(data, result, call.result.elements, type, op, comm, stream),
                "ncclReduceScatter",
                comm);
            break;
        case Kind::all_gather:
            check_nccl(ncclAllGather(data, result, call.data.elements, type, comm, stream),
                       "ncclAllGather",
                       comm);
            break;
        case Kind::broadcast:
            check_nccl(
                ncclBroadcast(data, result, call.result.elements, type, call.root, comm, stream),
                "ncclBroadcast",
                comm);
            break;
        }
        await_enqueued();
        return std::make_unique<PointPending>(*this, StreamPoint(stream));
    }

    /// Until the call is on the stream.
    void await_enqueued() {
        ncclResult_t state = ncclSuccess;
        const bool in_time = wait_until(deadline(), [&] {
            check_nccl(ncclCommGetAsyncError(nccl_.get(), &state), "ncclCommGetAsyncError");
            return state != ncclInProgress;
        });
        if (!in_time || state != ncclSuccess) {
            fail();
            throw Error(fmt::format("member {} could not begin a collective: {}",
                                    rank_,
                                    in_time ? ncclGetErrorString(state) : "it took too long"),
                        in_time ? ErrorCode::aborted : ErrorCode::timed_out);
        }
    }

    Clock::time_point deadline() const { return Clock::now() + options_.timeout; }

    int device_;
    int rank_;
    int size_;
    int version_ = 0;
    NcclOptions options_;
    bool is_failed_ = false;
    std::optional<Stream> stream_; ///< After cudaSetDevice().
    NcclCommunicator nccl_;        ///< Ends before its stream.
};

/// What one member says of its part: a letter (O, it went well; T, it took too long; A, another
/// member failed; F, it failed) and the reason. Of fixed size, to be gathered.
using Verdict = std::array<char, 256>;

/// Runs a step of its own on every member. @throws the same on all of them if one fails; those that
/// waited in vain for one that failed are not the reason.
void together(Communicator& communicator, const std::function<void()>& step) {
    std::string own = "O";
    try {
        step();
    } catch (const Error& error) {
        own = std::string(error.code() == ErrorCode::timed_out ? "T"
                          : error.code() == ErrorCode::aborted ? "A"
                                                               : "F") +
              error.what();
    }
    Verdict verdict{};
    own.copy(verdict.data(), verdict.size() - 1);
    std::vector<char> all(verdict.size() * static_cast<std::size_t>(communicator.size()));
    communicator.all_gather(std::span<const char>(verdict), std::span(all));
    for (const char outcome : {'F', 'T', 'A'}) {
        for (int member = 0; member < communicator.size(); ++member) {
            const char* const text = all.data() + static_cast<std::size_t>(member) * verdict.size();
            if (*text == outcome) {
                throw Error(fmt::format("no NCCL for this gang: member {}: {}", member, text + 1),
                            outcome == 'T' ? ErrorCode::timed_out : ErrorCode::failed);
            }
        }
    }
}

} // namespace

std::unique_ptr<NcclBackend> make_nccl_backend(Communicator& communicator, NcclOptions options) {
    int device = options.device;
    ncclUniqueId id{};
    together(communicator, [&] {
        int devices = 0;
        check_cuda(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
        if (devices == 0 || device >= devices) {
            throw Error(fmt::format("GPU {} of {}", device, devices));
        }
        device = device < 0 ? communicator.rank() % devices : device;
        if (communicator.rank() == 0) {
            check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
        }
    });
    communicator.broadcast(std::span<char>(id.internal), 0);
    std::unique_ptr<NcclBackendOf> backend;
    together(communicator, [&] {
        backend = std::make_unique<NcclBackendOf>(
            device, communicator.rank(), communicator.size(), id, options);
    });
    return backend;
}

Chosen make_nccl_or_communicator_backend(Communicator& communicator, NcclOptions options) {
    try {
        return {make_nccl_backend(communicator, options), {}};
    } catch (const Error& error) {
        if (error.code() != ErrorCode::failed && error.code() != ErrorCode::timed_out) {
            throw; // of the gang itself: not agreed on
        }
        return {make_communicator_backend(communicator), error.what()};
    }
}

} // namespace muster::train
