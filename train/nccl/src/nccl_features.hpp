#pragma once

#include <nccl.h>

namespace muster::train {

/// Calls that not every NCCL has, as the one that runs has them; null where it has not. Declared
/// here, since the one that was compiled against may be older.
struct NcclFeatures {
    /// 2.27 and later.
    ncclResult_t (*shrink)(ncclComm_t, int*, int, ncclComm_t*, ncclConfig_t*, int) = nullptr;
    ncclResult_t (*revoke)(ncclComm_t, int) = nullptr;
};

/// NCCL_SHRINK_ABORT.
inline constexpr int shrink_abort = 1;

[[nodiscard]] const NcclFeatures& features() noexcept;

} // namespace muster::train
