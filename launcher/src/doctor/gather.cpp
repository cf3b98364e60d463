#include "doctor/facts.hpp"
#include "launch/elf.hpp"
#include "process/unique_fd.hpp"
#include "resources/cgroup.hpp"
#include "resources/detect.hpp"
#include "resources/gpu_cpus.hpp"
#include "resources/system_files.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

namespace muster::launcher::doctor {
namespace {

Limit limit(__rlimit_resource resource, bool hard = false) {
    rlimit values{};
    if (::getrlimit(resource, &values) != 0) {
        return std::nullopt;
    }
    const rlim_t value = hard ? values.rlim_max : values.rlim_cur;
    return value == RLIM_INFINITY ? std::nullopt : Limit(value);
}

FileSystem look_at(std::string purpose, const std::string& path) {
    FileSystem system;
    system.purpose = std::move(purpose);
    system.path = path;

    struct statfs status {};

    if (::statfs(path.c_str(), &status) != 0) {
        return system;
    }
    system.exists = true;
    system.type = static_cast<std::int64_t>(status.f_type);
    system.free_bytes =
        static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_bsize);
    std::string name = path + "/muster-doctor-XXXXXX";
    const process::UniqueFd file(::mkostemp(name.data(), O_CLOEXEC));
    if (file) {
        ::unlink(name.c_str());
        system.writable = true;

        struct flock lock {};

        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        system.locks = ::fcntl(file.get(), F_SETLK, &lock) == 0;
    }
    return system;
}

Library try_to_load(const std::string& name) {
    Library library{name, false, {}};
    void* const handle = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (handle != nullptr) {
        library.loadable = true; // and stays: what a driver's library starts, it may not end well
    } else if (const char* const why = ::dlerror()) {
        library.why_not = why;
    }
    return library;
}

std::string trimmed(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
        text.pop_back();
    }
    return text;
}

/// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  …": the first word that is a number
/// with points.
std::string driver_version(const std::string& text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool begins = at == 0 || text[at - 1] == ' ';
        if (begins && std::isdigit(static_cast<unsigned char>(text[at])) != 0) {
            const auto end = text.find_first_not_of("0123456789.", at);
            const std::string word = text.substr(at, end == std::string::npos ? end : end - at);
            if (word.find('.') != std::string::npos) {
                return word;
            }
        }
    }
    return {};
}

} // namespace

Facts gather_facts() {
    Facts facts;
    const resources::RealFiles files;
    facts.environment = slurm::Environment::of_process();
    facts.tools = launch::find_tools(facts.environment);
    facts.sbatch = launch::find_program("sbatch", facts.environment);
    facts.scontrol = launch::find_program("scontrol", facts.environment);

    struct statfs shared {};

    if (::statfs("/dev/shm", &shared) == 0) {
        const auto block = static_cast<std::uint64_t>(shared.f_bsize);
        facts.shared_memory_bytes = static_cast<std::uint64_t>(shared.f_blocks) * block;
        facts.shared_memory_free_bytes = static_cast<std::uint64_t>(shared.f_bavail) * block;
    }
    facts.has_memory_files =
        static_cast<bool>(process::UniqueFd(::memfd_create("muster-doctor", MFD_CLOEXEC)));

    facts.limits = {limit(RLIMIT_NOFILE),
                    limit(RLIMIT_NOFILE, /*hard=*/true),
                    limit(RLIMIT_NPROC),
                    limit(RLIMIT_MEMLOCK),
                    limit(RLIMIT_CORE)};

    facts.clock_source =
        trimmed(files.read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
                    .value_or(""));
    timex clock{};
    if (const int state = ::adjtimex(&clock); state >= 0) {
        facts.clock_in_sync = state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
    }

    const auto driver = files.read("/proc/driver/nvidia/version");
    facts.nvidia_driver = driver_version(driver.value_or(""));
    for (const std::string& name : files.list("/dev")) {
        if (name.starts_with("nvidia") && name.size() > 6 &&
            std::all_of(name.begin() + 6, name.end(), [](unsigned char letter) {
                return std::isdigit(letter) != 0;
            })) {
            ++facts.gpus;
        }
    }
    if (driver || facts.gpus > 0) {
        facts.gpu_libraries = {try_to_load("libcuda.so.1"), try_to_load("libnccl.so.2")};
    }
    facts.has_infiniband = !files.list("/sys/class/infiniband").empty();

    const auto limits = resources::ProcessLimits::of_this_process();
    facts.cpus_of_mask = static_cast<int>(limits.cpu_ids.size());
    facts.cpus_of_machine =
        std::max(facts.cpus_of_mask,
                 static_cast<int>(resources::parse_cpu_list(
                                      files.read("/sys/devices/system/cpu/online").value_or(""))
                                      .size()));
    const auto cgroup = resources::read_cgroup_limits(files);
    if (cgroup.cpu_quota) {
        facts.cpu_quota = cgroup.cpu_quota->value();
    }
    if (cgroup.memory) {
        facts.memory_limit_bytes = cgroup.memory->count;
    }
    if (const auto local = resources::detect_local(facts.environment, files, limits)) {
        facts.memory_bytes = local->memory.count;
    }

    std::error_code error;
    facts.file_systems.push_back(
        look_at("the working directory", std::filesystem::current_path(error).string()));
    for (const char* const name : {"TMPDIR", "SLURM_TMPDIR"}) {
        if (const auto path = facts.environment.get_or_empty(name); !path.empty()) {
            facts.file_systems.push_back(look_at(name, std::string(path)));
        }
    }
    if (facts.environment.get_or_empty("TMPDIR").empty()) {
        facts.file_systems.push_back(look_at("the temporary folder", "/tmp"));
    }
    return facts;
}

} // namespace muster::launcher::doctor
