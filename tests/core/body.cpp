#include "body.hpp"

#include <condition_variable>
#include <cstdlib>
#include <mutex>

namespace muster::test {

std::vector<Body>& bodies() {
    static std::vector<Body> all;
    return all;
}

void set_environment() {
    ::setenv("MUSTER_CPUS", "2", 1);
    ::setenv("MUSTER_RESOURCES", "slot=2,license=1", 1);
    ::setenv("MUSTER_STOP_GRACE", "1", 1);
}

int wait_for_stop() {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, this_task().stop_token, [] { return false; });
    return index(cluster().rank);
}

int where() {
    return index(cluster().rank);
}

} // namespace muster::test
