#pragma once

#include <sched.h>

#include <chrono>

namespace muster::gang {

/// How to wait for another member: a few microseconds without giving up the core, for members with
/// a core each; then yielding, so that members that share a core get on; then sleeping, for members
/// that are late by more than a wake-up costs.
class Patience {
public:
    /// A sleep ends after this even if nobody wakes: whoever forgot costs this much.
    static constexpr std::chrono::milliseconds sleep_max{50};

    /// Passes a little time. False: better sleep now.
    bool pass() {
        ++turns_;
        if (turns_ <= spins) {
            pause();
            return true;
        }
        if (turns_ <= spins + yields) {
            sched_yield();
            return true;
        }
        return false;
    }

private:
    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("isb");
#endif
    }

    static constexpr int spins = 200;
    static constexpr int yields = 500;
    int turns_ = 0;
};

} // namespace muster::gang
