// The CUDA runtime's calls that Muster's training makes, on a machine without a GPU. Streams are
// threads, so what is asynchronous is so here.

#include "device_memory.hpp"
#include "stream.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

struct CUstream_st {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> queue; ///< Guarded by mutex, as all below.
    bool is_closed = false;
    bool is_busy = false;
    std::thread thread{[this] { serve(); }};

    void serve() {
        std::unique_lock lock(mutex);
        for (;;) {
            changed.wait(lock, [&] { return is_closed || !queue.empty(); });
            if (queue.empty()) {
                return;
            }
            const auto work = std::move(queue.front());
            queue.pop_front();
            is_busy = true;
            lock.unlock();
            work();
            lock.lock();
            is_busy = false;
            changed.notify_all();
        }
    }
};

struct CUevent_st {
    std::shared_ptr<std::atomic<bool>> reached = std::make_shared<std::atomic<bool>>(true);
};

namespace stand_in {

void put_on(cudaStream_t stream, std::function<void()> work) {
    const std::lock_guard lock(stream->mutex);
    stream->queue.push_back(std::move(work));
    stream->changed.notify_all();
}

} // namespace stand_in

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
    const char* const given = std::getenv("CUDA_STAND_IN_DEVICES");
    *count = given == nullptr ? 8 : std::atoi(given);
    return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaSetDevice(int) {
    return cudaSuccess;
}

const char* cudaGetErrorString(cudaError_t code) {
    return code == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "stand-in error";
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
    *memory = stand_in::allocate(bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
    stand_in::release(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
    if (bytes > 0) {
        std::memcpy(stand_in::reach(to), stand_in::reach(from), bytes);
    }
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    *stream = new CUstream_st;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    {
        const std::lock_guard lock(stream->mutex);
        stream->is_closed = true;
        stream->changed.notify_all();
    }
    stream->thread.join();
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    std::unique_lock lock(stream->mutex);
    stream->changed.wait(lock, [&] { return stream->queue.empty() && !stream->is_busy; });
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new CUevent_st;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event->reached = std::make_shared<std::atomic<bool>>(false);
    stand_in::put_on(stream, [reached = event->reached] {
        reached->store(true);
        reached->notify_all();
    });
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    return event->reached->load() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    stand_in::put_on(stream, [reached = event->reached] { reached->wait(false); });
    return cudaSuccess;
}

} // extern "C"
