#pragma once

#include <cstdint>

namespace muster::transport {

/// Which of a rank's threads sleeps at its doorbell: one at a time waits to be rung, but another
/// may still lie there that was relieved in its sleep.
enum class Sleeper : std::uint32_t {
    host = 0,  ///< The progress thread.
    guest = 1, ///< A thread that drives the rank in its place.
};

} // namespace muster::transport
