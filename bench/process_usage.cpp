#include "process_usage.hpp"

#include <sys/resource.h>

#include <fstream>
#include <string>

namespace bench {

ProcessUsage process_usage() {
    ProcessUsage usage;
    rusage times{};
    ::getrusage(RUSAGE_SELF, &times);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);

    // Linux: Documentation/filesystems/proc.rst, "smaps_rollup". Lines such as "Pss:   1234 kB".
    std::ifstream file("/proc/self/smaps_rollup");
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(':');
        const std::string key = line.substr(0, colon);
        if (key == "Pss" || key == "Private_Clean" || key == "Private_Dirty") {
            const double mib = std::stod(line.substr(colon + 1)) / 1024;
            (key == "Pss" ? usage.pss_mib : usage.private_mib) += mib;
        }
    }
    return usage;
}

} // namespace bench
