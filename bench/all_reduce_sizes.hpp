#pragma once

#include <cstddef>
#include <vector>

namespace bench {

/// One size of all_reduce that is measured, in place on float32: `bytes` each, `calls` one after
/// another and timed one by one, after `warm_up` calls that are not.
struct AllReduceSize {
    const char* name; // of the measure, in ms
    std::size_t bytes;
    int calls;
    int warm_up = 3;

    [[nodiscard]] std::size_t elements() const { return bytes / sizeof(float); }
};

/// What everybody measures: ours, MPI's, and the peers' (bench/peers/gloo_all_reduce.py).
inline std::vector<AllReduceSize> all_reduce_sizes(bool quick) {
    constexpr std::size_t mib = std::size_t{1} << 20;
    if (quick) {
        return {{"all_reduce.4KiB", 4096, 5},
                {"all_reduce.1MiB", 4096, 5},
                {"all_reduce.25MiB", 4096, 5},
                {"all_reduce.100MiB", 4096, 5}};
    }
    return {{"all_reduce.4KiB", 4096, 500},
            {"all_reduce.1MiB", mib, 100},
            {"all_reduce.25MiB", 25 * mib, 15},
            {"all_reduce.100MiB", 100 * mib, 7}};
}

} // namespace bench
