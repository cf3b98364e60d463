#include "doctor/judge.hpp"

#include <muster/slurm/launch.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace muster::launcher::doctor {
namespace {

constexpr std::uint64_t mebi = std::uint64_t{1} << 20;
constexpr std::uint64_t gibi = std::uint64_t{1} << 30;

std::string size(std::uint64_t bytes) {
    if (bytes >= 10 * gibi) {
        return fmt::format("{} GiB", bytes / gibi);
    }
    if (bytes >= gibi) {
        return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / static_cast<double>(gibi));
    }
    return fmt::format("{} MiB", bytes / mebi);
}

void add(std::vector<Finding>& findings,
         std::string_view area,
         Verdict verdict,
         std::string text,
         std::string advice = {}) {
    findings.push_back({std::string(area), verdict, std::move(text), std::move(advice)});
}

struct FileSystemType {
    std::int64_t magic;
    std::string_view name;
    bool is_network;
    bool is_memory;
};

/// Source: statfs(2), and the headers of those that are not in the kernel.
constexpr auto file_system_types = std::to_array<FileSystemType>({
    {0xEF53, "ext4", false, false},      {0x58465342, "XFS", false, false},
    {0x9123683E, "Btrfs", false, false}, {0x794c7630, "overlayfs", false, false},
    {0x2FC12FC1, "ZFS", false, false},   {0xF2F52010, "F2FS", false, false},
    {0x01021994, "tmpfs", false, true},  {0x858458f6, "ramfs", false, true},
    {0x6969, "NFS", true, false},        {0x0BD00BD0, "Lustre", true, false},
    {0x47504653, "GPFS", true, false},   {0x19830326, "BeeGFS", true, false},
    {0x00c36400, "Ceph", true, false},   {0xFF534D42, "SMB", true, false},
    {0xFE534D42, "SMB", true, false},    {0x517B, "SMB", true, false},
    {0x5346414F, "AFS", true, false},    {0x20030528, "OrangeFS", true, false},
    {0x01021997, "9P", true, false},     {0x65735546, "FUSE", false, false},
});

FileSystemType type_of(std::int64_t magic) {
    // f_type is signed and, for some, 32 bits wide.
    const auto value = magic & 0xFFFFFFFF;
    const auto* place = std::ranges::find(file_system_types, value, &FileSystemType::magic);
    return place == file_system_types.end() ? FileSystemType{value, "an unknown type", false, false}
                                            : *place;
}

/// Whether the job has Slurm's own view of something different from the process's.
std::optional<int> positive(const Facts& facts, std::string_view name) {
    const auto value = facts.environment.number<int>(name);
    return value && *value > 0 ? value : std::nullopt;
}

std::string limit_text(const Limit& limit) {
    return limit ? fmt::to_string(*limit) : "unlimited";
}

} // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
    case Verdict::ok:
        return "ok";
    case Verdict::note:
        return "note";
    case Verdict::problem:
        return "problem";
    }
    return "problem";
}

void judge_mpi(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "MPI";
    const auto own = facts.tools.own_library;
    add(findings,
        area,
        Verdict::ok,
        own == launch::MpiLibrary::none ? "what muster itself is linked with is not known"
                                        : fmt::format("muster is linked with {}", to_string(own)));
    if (!facts.tools.mpirun) {
        add(findings,
            area,
            facts.tools.srun.empty() ? Verdict::problem : Verdict::note,
            "no mpirun or mpiexec in PATH",
            "load the MPI's module, or add its bin folder to PATH");
        return;
    }
    const auto& mpirun = *facts.tools.mpirun;
    const auto text = fmt::format("{} is {}'s", mpirun.path, to_string(mpirun.library));
    if (mpirun.library == launch::MpiLibrary::none) {
        add(findings, area, Verdict::note, mpirun.path + " is of an MPI that muster does not know");
    } else if (own != launch::MpiLibrary::none && mpirun.library != own) {
        add(findings,
            area,
            Verdict::problem,
            fmt::format(
                "{}, and muster is linked with {}: it would start singletons, each for itself",
                text,
                to_string(own)),
            fmt::format("put {}'s mpirun first in PATH, or build muster with {}",
                        to_string(own),
                        to_string(mpirun.library)));
    } else {
        add(findings, area, Verdict::ok, text + ", which fits");
    }
    if (facts.tools.rank_helper.empty()) {
        add(findings,
            area,
            Verdict::problem,
            "muster-rank is not beside muster: exit codes of Muster programs get lost under mpirun",
            "install both into one folder");
    }
}

void judge_slurm(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "Slurm";
    const auto job = facts.environment.get_or_empty("SLURM_JOB_ID");
    if (facts.tools.srun.empty() && facts.sbatch.empty()) {
        add(findings,
            area,
            job.empty() ? Verdict::ok : Verdict::problem,
            job.empty() ? "not used here: no srun, no sbatch in PATH"
                        : fmt::format("in job {}, but no srun in PATH", job),
            job.empty() ? "" : "add Slurm's bin folder to PATH in the batch script");
        return;
    }
    for (const auto& [name, path] :
         {std::pair<std::string_view, const std::string&>("srun", facts.tools.srun),
          {"sbatch", facts.sbatch},
          {"scontrol", facts.scontrol}}) {
        if (path.empty()) {
            add(findings,
                area,
                Verdict::note,
                fmt::format("{} is not in PATH", name),
                name == "sbatch" ? "muster submit needs it" : "add Slurm's bin folder to PATH");
        }
    }
    if (job.empty()) {
        add(findings, area, Verdict::ok, "not in a job");
        return;
    }
    add(findings,
        area,
        Verdict::ok,
        fmt::format(
            "in job {} of {} node(s)", job, positive(facts, "SLURM_JOB_NUM_NODES").value_or(1)));
    if (!facts.tools.srun_mpi_types.empty()) {
        add(findings,
            area,
            Verdict::ok,
            fmt::format("srun --mpi=list: {}", fmt::join(facts.tools.srun_mpi_types, ", ")));
    }
    const auto cpus = positive(facts, "SLURM_CPUS_ON_NODE");
    if (cpus && facts.cpus_of_mask < *cpus) {
        add(findings,
            area,
            Verdict::note,
            fmt::format("the job has {} CPUs on this node, and this process may use {}",
                        *cpus,
                        facts.cpus_of_mask),
            "srun --cpu-bind=none, or --cpus-per-task, gives a task more of them");
    }
    if (facts.environment.get_or_empty("SLURM_EXPORT_ENV") == "NONE") {
        add(findings,
            area,
            Verdict::note,
            "SLURM_EXPORT_ENV=NONE: steps start without the batch script's variables",
            "muster run passes --export=ALL; for srun of your own, add it");
    }
}

void judge_way(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "muster run";
    launch::Request request;
    request.argv = {"./program"};
    request.library = facts.tools.own_library;
    const auto plan = launch::plan_launch(request, facts.environment, facts.tools);
    if (!plan) {
        add(findings,
            area,
            Verdict::problem,
            fmt::format("MPI programs cannot be started: {}", plan.error().message));
        return;
    }
    add(findings,
        area,
        Verdict::ok,
        plan->way == launch::Way::direct
            ? fmt::format("a program is executed in place: {}", plan->why)
            : fmt::format("an MPI program is started {}", plan->why));
    for (const auto& [way, name] :
         {std::pair(launch::Way::srun, "srun"), std::pair(launch::Way::mpirun, "mpirun")}) {
        if (way == plan->way || plan->way == launch::Way::direct) {
            continue;
        }
        request.way = way;
        const auto other = launch::plan_launch(request, facts.environment, facts.tools);
        add(findings,
            area,
            Verdict::ok,
            other ? fmt::format("--launcher {} would do as well", name)
                  : fmt::format(
                        "not by {}",
                        other.error().message.substr(std::string_view("--launcher ").size())));
    }
}

void judge_pmi(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "PMI";
    const auto launch = slurm::detect_launch(facts.environment);
    if (!launch || launch->launcher != slurm::Launcher::srun) {
        std::string found;
        for (const char* name : {"PMIX_NAMESPACE", "PMI_FD", "PMI_SIZE", "PMI_RANK"}) {
            if (facts.environment.has(name)) {
                found += (found.empty() ? "" : ", ") + std::string(name);
            }
        }
        add(findings,
            area,
            Verdict::ok,
            found.empty() ? "not started by a launcher" : "from the launcher: " + found);
        return;
    }
    if (launch->without_pmi && launch->world_size.value_or(1) > 1) {
        const bool open_mpi = facts.tools.own_library == launch::MpiLibrary::open_mpi;
        add(findings,
            area,
            Verdict::problem,
            slurm::start_doubt(*launch),
            fmt::format("start it with srun --mpi={}", open_mpi ? "pmix" : "pmi2"));
        return;
    }
    add(findings,
        area,
        Verdict::ok,
        fmt::format("{}{}",
                    launch->reason,
                    launch->srun_mpi_type.empty() ? "" : ", --mpi=" + launch->srun_mpi_type));
}

void judge_shared_memory(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "shared memory";
    if (!facts.has_memory_files) {
        add(findings,
            area,
            Verdict::problem,
            "memfd_create does not work here",
            "values of a node's ranks need it: allow it in the container's seccomp profile");
    }
    if (!facts.shared_memory_bytes) {
        add(findings,
            area,
            Verdict::problem,
            "there is no /dev/shm",
            "MPI libraries use it within a node: mount a tmpfs there");
        return;
    }
    const auto text = fmt::format("/dev/shm has {}, {} of it free",
                                  size(*facts.shared_memory_bytes),
                                  size(facts.shared_memory_free_bytes));
    if (facts.shared_memory_free_bytes < 64 * mebi) {
        add(findings,
            area,
            Verdict::problem,
            text,
            "remove what is left in it, or start the container with --shm-size=1g");
    } else if (facts.shared_memory_free_bytes < gibi) {
        add(findings,
            area,
            Verdict::note,
            text,
            "many ranks per node, or torch's data loaders, may need more: --shm-size of the "
            "container");
    } else {
        add(findings, area, Verdict::ok, text);
    }
}

void judge_limits(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "limits";
    const Limits& limits = facts.limits;
    const auto files = fmt::format("open files: {}", limit_text(limits.open_files));
    if (limits.open_files && *limits.open_files < 1024) {
        const bool can_raise = !limits.open_files_hard || *limits.open_files_hard >= 4096;
        add(findings,
            area,
            *limits.open_files < 256 ? Verdict::problem : Verdict::note,
            files,
            can_raise ? "ulimit -n 4096" : "the hard limit is low, too: ask who runs the machine");
    } else {
        add(findings, area, Verdict::ok, files);
    }
    const auto processes = fmt::format("processes: {}", limit_text(limits.processes));
    if (limits.processes && *limits.processes < 512) {
        add(findings, area, Verdict::note, processes, "ulimit -u 4096: threads count, too");
    } else {
        add(findings, area, Verdict::ok, processes);
    }
    const auto locked = limits.locked_bytes
                            ? fmt::format("locked memory: {}", size(*limits.locked_bytes))
                            : std::string("locked memory: unlimited");
    if (facts.has_infiniband && limits.locked_bytes) {
        add(findings,
            area,
            Verdict::problem,
            locked + ", and this node has InfiniBand, which needs more",
            "ulimit -l unlimited; under Slurm: PropagateResourceLimitsExcept=MEMLOCK in "
            "slurm.conf");
    } else {
        add(findings, area, Verdict::ok, locked);
    }
    if (!limits.core_bytes) {
        add(findings,
            area,
            Verdict::note,
            "core files: unlimited, each as large as the memory of its process",
            "ulimit -c 0, unless you want them");
    } else {
        add(findings,
            area,
            Verdict::ok,
            *limits.core_bytes == 0
                ? "core files: none"
                : fmt::format("core files: up to {}", size(*limits.core_bytes)));
    }
}

void judge_clocks(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "clocks";
    static constexpr auto fast = std::to_array<std::string_view>(
        {"tsc", "kvm-clock", "arch_sys_counter", "timebase", "hyperv_clocksource_tsc_page"});
    if (facts.clock_source.empty()) {
        add(findings, area, Verdict::ok, "the clock source is not known");
    } else if (std::ranges::find(fast, facts.clock_source) == fast.end()) {
        add(findings,
            area,
            Verdict::note,
            fmt::format("the clock source is {}, whose reading costs a system call",
                        facts.clock_source),
            "traces and short tasks cost more: ask for tsc (clocksource=tsc)");
    } else {
        add(findings, area, Verdict::ok, "the clock source is " + facts.clock_source);
    }
    if (facts.clock_in_sync && !*facts.clock_in_sync) {
        add(findings,
            area,
            Verdict::note,
            "the kernel does not know its time of day to be in step with others'",
            "times in logs of several nodes may differ; chrony or ntpd keeps them in step");
    }
}

void judge_gpus(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "GPUs";
    if (facts.nvidia_driver.empty() && facts.gpus == 0) {
        add(findings, area, Verdict::ok, "none: no NVIDIA driver is loaded");
        return;
    }
    add(findings,
        area,
        facts.gpus == 0 ? Verdict::note : Verdict::ok,
        fmt::format("NVIDIA driver {}, {} device(s)",
                    facts.nvidia_driver.empty() ? "of unknown version" : facts.nvidia_driver,
                    facts.gpus),
        facts.gpus == 0 ? "this process sees no device: in a job, ask for some (--gres=gpu:1)"
                        : "");
    for (const Library& library : facts.gpu_libraries) {
        const bool is_nccl = library.name.find("nccl") != std::string::npos;
        if (library.loadable) {
            add(findings, area, Verdict::ok, library.name + " can be loaded");
        } else {
            add(findings,
                area,
                is_nccl ? Verdict::note : Verdict::problem,
                fmt::format("{} cannot be loaded: {}", library.name, library.why_not),
                is_nccl ? "training then reduces by MPI; add NCCL's folder to LD_LIBRARY_PATH"
                        : "in a container: start it with the GPU runtime (--gpus all, --nv)");
        }
    }
    const auto visible = facts.environment.find("CUDA_VISIBLE_DEVICES");
    if (visible && visible->empty()) {
        add(findings, area, Verdict::note, "CUDA_VISIBLE_DEVICES is empty: programs see no GPU");
    }
}

void judge_cpus(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "CPUs";
    std::string text = fmt::format(
        "{} of the machine's {} CPUs may be used", facts.cpus_of_mask, facts.cpus_of_machine);
    if (facts.cpu_quota && *facts.cpu_quota < facts.cpus_of_mask) {
        add(findings,
            area,
            Verdict::note,
            fmt::format("{}, but no more than {:.1f} CPUs' time (cgroup)", text, *facts.cpu_quota),
            "more threads than that only slow each other down; muster counts the quota");
    } else if (facts.cpus_of_mask == 1 && facts.cpus_of_machine > 1) {
        add(findings,
            area,
            Verdict::note,
            text,
            "a launcher has bound this process: mpirun --bind-to none, srun --cpu-bind=none");
    } else {
        add(findings, area, Verdict::ok, std::move(text));
    }
    add(findings,
        area,
        Verdict::ok,
        facts.memory_limit_bytes ? fmt::format("{} of memory, by the cgroup's limit of {}",
                                               size(facts.memory_bytes),
                                               size(*facts.memory_limit_bytes))
                                 : fmt::format("{} of memory", size(facts.memory_bytes)));
}

void judge_file_systems(const Facts& facts, std::vector<Finding>& findings) {
    constexpr std::string_view area = "file systems";
    for (const FileSystem& each : facts.file_systems) {
        const std::string name = fmt::format("{} ({})", each.purpose, each.path);
        if (!each.exists) {
            add(findings,
                area,
                Verdict::problem,
                name + " does not exist",
                "make it, or unset the variable");
            continue;
        }
        const FileSystemType type = type_of(each.type);
        const std::string text = fmt::format("{} is {}{}, {} free",
                                             name,
                                             type.name,
                                             type.is_network ? ", over the network" : "",
                                             size(each.free_bytes));
        const bool is_temporary = each.purpose.find("TMPDIR") != std::string::npos ||
                                  each.purpose.find("temporary") != std::string::npos;
        if (!each.writable) {
            add(findings,
                area,
                is_temporary ? Verdict::problem : Verdict::note,
                name + " cannot be written",
                is_temporary ? "point TMPDIR to a folder of your own"
                             : "outputs go elsewhere then");
        } else if (each.free_bytes < 100 * mebi) {
            add(findings, area, Verdict::problem, text, "make room, or use another folder");
        } else if (!each.locks) {
            add(findings,
                area,
                Verdict::note,
                text + "; files cannot be locked",
                "a journal here is not safe from a second run; Lustre needs the mount option "
                "flock");
        } else if (is_temporary && type.is_network) {
            add(findings,
                area,
                Verdict::note,
                text,
                "values that do not fit into memory go there, slowly: point TMPDIR or "
                "MUSTER_SPILL_DIRECTORY to a local disk");
        } else if (is_temporary && type.is_memory) {
            add(findings,
                area,
                Verdict::note,
                text,
                "it takes memory: values are not spilled there");
        } else {
            add(findings, area, Verdict::ok, text);
        }
    }
}

std::vector<Finding> judge(const Facts& facts) {
    std::vector<Finding> findings;
    for (const auto check : {judge_mpi,
                             judge_slurm,
                             judge_way,
                             judge_pmi,
                             judge_shared_memory,
                             judge_limits,
                             judge_clocks,
                             judge_gpus,
                             judge_cpus,
                             judge_file_systems}) {
        check(facts, findings);
    }
    return findings;
}

std::string as_text(const std::vector<Finding>& findings) {
    std::string text;
    for (const Finding& each : findings) {
        text += fmt::format("{:8} {:14} {}\n", to_string(each.verdict), each.area, each.text);
        if (!each.advice.empty()) {
            text += fmt::format("{:24}-> {}\n", "", each.advice);
        }
    }
    const auto count = [&](Verdict verdict) {
        return std::ranges::count(findings, verdict, &Finding::verdict);
    };
    const auto problems = count(Verdict::problem);
    const auto notes = count(Verdict::note);
    return text + fmt::format("{} problem{}, {} note{}\n",
                              problems,
                              problems == 1 ? "" : "s",
                              notes,
                              notes == 1 ? "" : "s");
}

namespace {

std::string json_text(std::string_view text) {
    std::string result = "\"";
    for (const char letter : text) {
        if (letter == '"' || letter == '\\') {
            result += '\\';
            result += letter;
        } else if (static_cast<unsigned char>(letter) < 0x20) {
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(letter));
        } else {
            result += letter;
        }
    }
    return result + "\"";
}

} // namespace

std::string as_json(const std::vector<Finding>& findings) {
    std::string lines;
    for (const Finding& each : findings) {
        lines +=
            fmt::format("{}\n    {{\"area\": {}, \"verdict\": {}, \"text\": {}, \"advice\": {}}}",
                        lines.empty() ? "" : ",",
                        json_text(each.area),
                        json_text(to_string(each.verdict)),
                        json_text(each.text),
                        json_text(each.advice));
    }
    return fmt::format("{{\n  \"problems\": {},\n  \"findings\": [{}\n  ]\n}}\n",
                       std::ranges::count(findings, Verdict::problem, &Finding::verdict),
                       lines);
}

} // namespace muster::launcher::doctor
