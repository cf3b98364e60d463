#pragma once

#include <sched.h>

#include <chrono>

namespace muster::gang {

/// How to wait for another member: a few microseconds without giving up the core, for members with
/// a core each; then yielding, so that members that share a core get on; then sleeping, for members
/// that are late by more than a wake-up costs. On a crowded core a yield takes long, so that sleep
/// comes after few: who is woken gets the core sooner than who stood in line for it.
class Patience {
public:
    /// A sleep ends after this even if nobody wakes: whoever forgot costs this much.
    static constexpr std::chrono::milliseconds sleep_max{50};

    /// Passes a little time. False: better sleep now.
    bool pass() {
        if (spins_ < spins_max) {
            ++spins_;
            pause();
            return true;
        }
        const auto now = std::chrono::steady_clock::now();
        if (spins_ == spins_max) {
            ++spins_;
            tired_ = now + yielding;
        }
        if (now >= tired_) {
            return false;
        }
        sched_yield();
        return true;
    }

private:
    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("isb");
#endif
    }

    static constexpr int spins_max = 200;
    static constexpr std::chrono::microseconds yielding{200};

    int spins_ = 0;
    std::chrono::steady_clock::time_point tired_{};
};

} // namespace muster::gang
