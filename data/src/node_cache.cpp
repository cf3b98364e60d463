#include <muster/base/random.hpp>
#include <muster/data/node_cache.hpp>

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>

namespace muster::data {

std::array<std::uint64_t, 2> node_identity() {
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    std::uint64_t hash = mix64(boot.size());
    for (const char character : boot) {
        hash = mix64(hash ^ static_cast<unsigned char>(character));
    }

    struct stat names {};

    // Processes see each other's descriptors under /proc of the same namespace only.
    const bool has_names = ::stat("/proc/self/ns/pid", &names) == 0;
    return {hash, has_names ? static_cast<std::uint64_t>(names.st_ino) : 0};
}

std::uint64_t fresh_nonce() {
    std::uint64_t nonce = 0;
    if (::getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) {
        static std::atomic<std::uint64_t> calls{0};
        nonce = mix64(static_cast<std::uint64_t>(::getpid()) ^ (++calls << 32U));
    }
    return nonce | 1U; // 0 is a segment that is not ready
}

} // namespace muster::data
