#include "nccl_features.hpp"

#include <dlfcn.h>

namespace muster::train {

const NcclFeatures& features() noexcept {
    static const NcclFeatures found = [] {
        NcclFeatures all;
        all.shrink = reinterpret_cast<decltype(all.shrink)>(dlsym(RTLD_DEFAULT, "ncclCommShrink"));
        all.revoke = reinterpret_cast<decltype(all.revoke)>(dlsym(RTLD_DEFAULT, "ncclCommRevoke"));
        return all;
    }();
    return found;
}

} // namespace muster::train
