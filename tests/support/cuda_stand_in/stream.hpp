#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace stand_in {

/// Runs after all that was put on the stream before, on a thread of the stream's.
void put_on(cudaStream_t stream, std::function<void()> work);

} // namespace stand_in
