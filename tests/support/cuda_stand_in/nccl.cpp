// NCCL's calls that Muster's training makes, through memory that processes share. One NCCL
// communicator is one file in /dev/shm, which goes when all have opened it.
//
// NCCL_STAND_IN_FAIL makes calls fail: "init:1" that of rank 1, "async:1:3" the third collective of
// rank 1, "silent:1:3" leaves it out, as a rank that hangs does.

#include "device_memory.hpp"
#include "stream.hpp"

#include <muster/train/element.hpp>

#include <fcntl.h>
#include <nccl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t ranks_max = 16;
constexpr std::size_t slot_bytes = std::size_t{1} << 16U;

struct Shared {
    std::atomic<int> attached;
    std::atomic<int> waiting;
    std::atomic<int> generation;
    std::atomic<int> failure; ///< An ncclResult_t, once a member failed or left early.
    alignas(64) std::byte slots[ranks_max][slot_bytes];
};

struct State {
    std::string name;
    int rank = 0;
    int size = 0;
    int calls = 0;
    Shared* shared = nullptr;

    ~State() { munmap(shared, sizeof(Shared)); }

    /// @return false if a member failed.
    bool meet() const {
        const int generation = shared->generation.load();
        if (shared->waiting.fetch_add(1) + 1 == size) {
            shared->waiting.store(0);
            shared->generation.fetch_add(1);
        }
        while (shared->generation.load() == generation) {
            if (shared->failure.load() != ncclSuccess) {
                return false;
            }
            std::this_thread::yield();
        }
        return true;
    }
};

bool is_to_fail(const char* what, const State& state) {
    const char* const given = std::getenv("NCCL_STAND_IN_FAIL");
    const std::string name = what;
    return given != nullptr &&
           (given == name + ":" + std::to_string(state.rank) ||
            given == name + ":" + std::to_string(state.rank) + ":" + std::to_string(state.calls));
}

} // namespace

struct ncclComm {
    std::shared_ptr<State> state;
};

namespace {

std::size_t bytes_of(ncclDataType_t type) {
    return type == ncclUint8                             ? 1
           : type == ncclFloat16 || type == ncclBfloat16 ? 2
           : type == ncclFloat64 || type == ncclUint64   ? 8
                                                         : 4;
}

template <class T>
T combine(T a, T b, ncclRedOp_t op) {
    return op == ncclSum    ? static_cast<T>(a + b)
           : op == ncclProd ? static_cast<T>(a * b)
           : op == ncclMin  ? std::min(a, b)
                            : std::max(a, b);
}

template <class T>
void reduce_as(const State& state, std::byte* out, std::size_t bytes, ncclRedOp_t op) {
    auto* const result = reinterpret_cast<T*>(out);
    for (std::size_t i = 0; i < bytes / sizeof(T); ++i) {
        T value = reinterpret_cast<const T*>(state.shared->slots[0])[i];
        for (int rank = 1; rank < state.size; ++rank) {
            value = combine(value, reinterpret_cast<const T*>(state.shared->slots[rank])[i], op);
        }
        result[i] = value;
    }
}

template <class T>
void sum_narrow(const State& state, std::byte* out, std::size_t bytes) {
    auto* const result = reinterpret_cast<T*>(out);
    for (std::size_t i = 0; i < bytes / sizeof(T); ++i) {
        float sum = 0;
        for (int rank = 0; rank < state.size; ++rank) {
            sum +=
                muster::train::to_float(reinterpret_cast<const T*>(state.shared->slots[rank])[i]);
        }
        if constexpr (std::is_same_v<T, muster::train::Float16>) {
            result[i] = muster::train::to_float16(sum);
        } else {
            result[i] = muster::train::to_bfloat16(sum);
        }
    }
}

void reduce_slots(
    const State& state, std::byte* out, std::size_t bytes, ncclDataType_t type, ncclRedOp_t op) {
    switch (type) {
    case ncclFloat32:
        return reduce_as<float>(state, out, bytes, op);
    case ncclFloat64:
        return reduce_as<double>(state, out, bytes, op);
    case ncclUint8:
        return reduce_as<std::uint8_t>(state, out, bytes, op);
    case ncclUint64:
        return reduce_as<std::uint64_t>(state, out, bytes, op);
    case ncclFloat16:
        return sum_narrow<muster::train::Float16>(state, out, bytes);
    default:
        return sum_narrow<muster::train::BFloat16>(state, out, bytes);
    }
}

/// Everybody's bytes from `data` on, a slot full at a time, are seen by `take(offset, bytes)`.
template <class Take>
void exchange(const State& state, const std::byte* data, std::size_t bytes, Take take) {
    for (std::size_t offset = 0; offset < bytes; offset += slot_bytes) {
        const std::size_t length = std::min(slot_bytes, bytes - offset);
        std::memcpy(state.shared->slots[state.rank], data + offset, length);
        if (!state.meet()) {
            return;
        }
        take(offset, length);
        if (!state.meet()) {
            return;
        }
    }
}

/// Puts a collective on the stream, or what was asked for in its place.
template <class Work>
ncclResult_t put(ncclComm_t comm, cudaStream_t stream, Work work) {
    const auto state = comm->state;
    ++state->calls;
    if (is_to_fail("async", *state)) {
        state->shared->failure.store(ncclRemoteError);
    } else if (is_to_fail("silent", *state)) {
        stand_in::put_on(stream, [state] {
            while (state->shared->failure.load() == ncclSuccess) {
                std::this_thread::yield();
            }
        });
    } else {
        stand_in::put_on(stream, [state, work] { work(*state); });
    }
    return ncclSuccess;
}

ncclResult_t open(ncclComm_t* comm, const std::string& name, int rank, int size) {
    auto state = std::make_shared<State>();
    state->name = name;
    state->rank = rank;
    state->size = size;
    const int file = shm_open(name.c_str(), O_CREAT | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, sizeof(Shared)) != 0) {
        return ncclSystemError;
    }
    void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) {
        return ncclSystemError;
    }
    state->shared = static_cast<Shared*>(memory);
    if (is_to_fail("init", *state)) {
        shm_unlink(name.c_str());
        return ncclUnhandledCudaError;
    }
    if (state->shared->attached.fetch_add(1) + 1 == size) {
        shm_unlink(name.c_str());
    }
    *comm = new ncclComm{std::move(state)};
    return ncclInProgress;
}

} // namespace

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
    static std::atomic<int> number{0};
    std::memset(id, 0, sizeof *id);
    std::snprintf(
        id->internal,
        sizeof id->internal,
        "/muster-nccl-%d-%d-%lld",
        getpid(),
        ++number,
        static_cast<long long>(std::chrono::steady_clock::now().time_since_epoch().count()));
    return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t code) {
    return code == ncclRemoteError          ? "remote process exited or there was a network error"
           : code == ncclUnhandledCudaError ? "unhandled cuda error"
                                            : "stand-in error";
}

const char* ncclGetLastError(ncclComm_t) {
    return "";
}

ncclResult_t
ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank, ncclConfig_t*) {
    return open(comm, id.internal, rank, size);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* code) {
    const State& state = *comm->state;
    const auto failure = static_cast<ncclResult_t>(state.shared->failure.load());
    *code = failure != ncclSuccess                       ? failure
            : state.shared->attached.load() < state.size ? ncclInProgress
                                                         : ncclSuccess;
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t) {
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    delete comm;
    return ncclSuccess;
}

ncclResult_t ncclCommRevoke(ncclComm_t comm, int) {
    comm->state->shared->failure.store(ncclRemoteError);
    return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
    ncclCommRevoke(comm, 0);
    shm_unlink(comm->state->name.c_str()); // one that not all have opened
    delete comm;
    return ncclSuccess;
}

ncclResult_t
ncclCommShrink(ncclComm_t comm, int* lost, int count, ncclComm_t* rest, ncclConfig_t*, int) {
    const State& state = *comm->state;
    ncclCommRevoke(comm, 0);
    std::string name = state.name + "-without";
    int before = 0;
    for (int i = 0; i < count; ++i) {
        name += "-" + std::to_string(lost[i]);
        before += lost[i] < state.rank ? 1 : 0;
    }
    return open(rest, name, state.rank - before, state.size - count);
}

ncclResult_t ncclAllReduce(const void* data,
                           void* result,
                           size_t count,
                           ncclDataType_t type,
                           ncclRedOp_t op,
                           ncclComm_t comm,
                           cudaStream_t stream) {
    return put(comm, stream, [=](const State& state) {
        std::byte* const out = stand_in::reach(result);
        exchange(state,
                 stand_in::reach(data),
                 count * bytes_of(type),
                 [&](std::size_t offset, std::size_t bytes) {
                     reduce_slots(state, out + offset, bytes, type, op);
                 });
    });
}

ncclResult_t ncclReduceScatter(const void* data,
                               void* result,
                               size_t count,
                               ncclDataType_t type,
                               ncclRedOp_t op,
                               ncclComm_t comm,
                               cudaStream_t stream) {
    return put(comm, stream, [=](const State& state) {
        std::byte* const out = stand_in::reach(result);
        const std::size_t part = count * bytes_of(type);
        for (int rank = 0; rank < state.size; ++rank) {
            exchange(state,
                     stand_in::reach(data) + static_cast<std::size_t>(rank) * part,
                     part,
                     [&](std::size_t offset, std::size_t bytes) {
                         if (rank == state.rank) {
                             reduce_slots(state, out + offset, bytes, type, op);
                         }
                     });
        }
    });
}

ncclResult_t ncclAllGather(const void* data,
                           void* result,
                           size_t count,
                           ncclDataType_t type,
                           ncclComm_t comm,
                           cudaStream_t stream) {
    return put(comm, stream, [=](const State& state) {
        std::byte* const out = stand_in::reach(result);
        const std::size_t part = count * bytes_of(type);
        exchange(state, stand_in::reach(data), part, [&](std::size_t offset, std::size_t bytes) {
            for (int rank = 0; rank < state.size; ++rank) {
                std::memcpy(out + static_cast<std::size_t>(rank) * part + offset,
                            state.shared->slots[rank],
                            bytes);
            }
        });
    });
}

ncclResult_t ncclBroadcast(const void* data,
                           void* result,
                           size_t count,
                           ncclDataType_t type,
                           int root,
                           ncclComm_t comm,
                           cudaStream_t stream) {
    return put(comm, stream, [=](const State& state) {
        std::byte* const out = stand_in::reach(result);
        exchange(state,
                 stand_in::reach(data),
                 count * bytes_of(type),
                 [&](std::size_t offset, std::size_t bytes) {
                     std::memcpy(out + offset, state.shared->slots[root], bytes);
                 });
    });
}

} // extern "C"
