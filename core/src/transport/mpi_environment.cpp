#include "transport/mpi_environment.hpp"

#include "transport/transport.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace muster::transport {

namespace {

int cpus_of(pid_t process) {
    std::array<cpu_set_t, 16> mask{}; // room for 16,384 CPUs
    if (sched_getaffinity(process, sizeof mask, mask.data()) != 0) {
        return 0;
    }
    return CPU_COUNT_S(sizeof mask, mask.data());
}

// mpirun binds each of a few ranks to one core; its own mask, our parent's, tells what all of them
// share.
int cpus_of_node() {
    return std::max(cpus_of(0), cpus_of(getppid()));
}

int ranks_on_node() {
    const char* text = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
    if (text == nullptr) {
        return 0;
    }
    const std::string_view view(text);
    int ranks = 0;
    std::from_chars(view.data(), view.data() + view.size(), ranks);
    return ranks;
}

void set_unless_set(const char* name, const char* value) {
    constexpr int keep = 0;
    setenv(name, value, keep);
}

} // namespace

void prepare_mpi_environment() {
    // Cross-memory attach measured slower than copying twice at every size above 2 KiB.
    set_unless_set("OMPI_MCA_btl_vader_single_copy_mechanism", "none");

    // The default, 4 KiB, includes MPI's own header: a full packet would become a rendezvous, which
    // a dying peer can leave half done.
    const std::string eager_bytes = std::to_string(2 * Transport::packet_bytes_max);
    set_unless_set("OMPI_MCA_btl_vader_eager_limit", eager_bytes.c_str());

    // Open MPI yields by itself only when it knows that it oversubscribes.
    if (ranks_on_node() > cpus_of_node()) {
        set_unless_set("OMPI_MCA_mpi_yield_when_idle", "1");
    }
}

} // namespace muster::transport
