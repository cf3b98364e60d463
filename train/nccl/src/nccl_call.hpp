#pragma once

#include <muster/base/error.hpp>

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <nccl.h>

#include <utility>

namespace muster::train {

inline void check_cuda(cudaError_t code, const char* call) {
    if (code != cudaSuccess) {
        throw Error(fmt::format("{} failed: {}", call, cudaGetErrorString(code)));
    }
}

/// In a communicator that does not block, calls may still be in progress when they return.
inline void check_nccl(ncclResult_t code, const char* call, ncclComm_t communicator = nullptr) {
    if (code != ncclSuccess && code != ncclInProgress) {
        const char* const detail = ncclGetLastError(communicator);
        throw Error(fmt::format("{} failed: {}{}{}",
                                call,
                                ncclGetErrorString(code),
                                detail == nullptr || *detail == '\0' ? "" : ": ",
                                detail == nullptr ? "" : detail));
    }
}

/// A stream of this GPU.
class Stream {
public:
    Stream() {
        check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
                   "cudaStreamCreateWithFlags");
    }

    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    ~Stream() { (void)cudaStreamDestroy(stream_); }

    [[nodiscard]] cudaStream_t get() const { return stream_; }

private:
    cudaStream_t stream_ = nullptr;
};

/// A point of a stream.
class StreamPoint {
public:
    explicit StreamPoint(cudaStream_t stream) {
        check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming),
                   "cudaEventCreateWithFlags");
        check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord");
    }

    StreamPoint(StreamPoint&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}

    StreamPoint& operator=(StreamPoint&& other) noexcept {
        std::swap(event_, other.event_);
        return *this;
    }

    ~StreamPoint() {
        if (event_ != nullptr) {
            (void)cudaEventDestroy(event_);
        }
    }

    [[nodiscard]] cudaEvent_t get() const { return event_; }

    /// Whether the stream has come this far.
    [[nodiscard]] bool is_reached() const {
        const cudaError_t code = cudaEventQuery(event_);
        if (code == cudaErrorNotReady) {
            return false;
        }
        check_cuda(code, "cudaEventQuery");
        return true;
    }

private:
    cudaEvent_t event_ = nullptr;
};

} // namespace muster::train
