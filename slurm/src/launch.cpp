#include <muster/slurm/launch.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace muster::slurm {
namespace {

/// Step ids from here on are not srun's: 0xfffffffb is the batch script, 0xfffffffa an interactive
/// shell of salloc. Source: Slurm's slurm.h, SLURM_BATCH_SCRIPT, SLURM_INTERACTIVE_STEP.
constexpr std::uint64_t reserved_step_ids = 0xfffffff0;

std::optional<std::uint64_t> step_id(const Environment& environment) {
    auto id = environment.number<std::uint64_t>("SLURM_STEP_ID");
    if (!id) {
        id = environment.number<std::uint64_t>("SLURM_STEPID");
    }
    return id;
}

bool is_srun_task(const Environment& environment) {
    const auto id = step_id(environment);
    return id && *id < reserved_step_ids && environment.has("SLURM_PROCID");
}

LaunchInfo open_mpi(const Environment& environment) {
    LaunchInfo info;
    info.launcher = Launcher::open_mpi;
    info.world_size = environment.number<int>("OMPI_COMM_WORLD_SIZE");
    info.rank = environment.number<int>("OMPI_COMM_WORLD_RANK");
    info.local_rank = environment.number<int>("OMPI_COMM_WORLD_LOCAL_RANK");
    info.local_size = environment.number<int>("OMPI_COMM_WORLD_LOCAL_SIZE");
    info.use_mpi = true;
    return info;
}

LaunchInfo pmi(const Environment& environment) {
    const bool pals = environment.has("PALS_APID") || environment.has("PALS_RANKID");
    LaunchInfo info;
    info.launcher = pals ? Launcher::pals : Launcher::hydra;
    info.world_size = environment.number<int>("PMI_SIZE");
    info.rank = environment.number<int>(environment.has("PMI_RANK") ? "PMI_RANK" : "PALS_RANKID");
    const bool hydra_names = environment.has("MPI_LOCALRANKID");
    info.local_rank = environment.number<int>(hydra_names ? "MPI_LOCALRANKID" : "PMI_LOCAL_RANK");
    info.local_size = environment.number<int>(hydra_names ? "MPI_LOCALNRANKS" : "PMI_LOCAL_SIZE");
    info.use_mpi = true;
    return info;
}

LaunchInfo pmix(const Environment& environment) {
    LaunchInfo info;
    info.launcher = Launcher::pmix;
    info.rank = environment.number<int>("PMIX_RANK");
    info.use_mpi = true;
    return info;
}

LaunchInfo srun(const Environment& environment) {
    LaunchInfo info;
    info.launcher = Launcher::srun;
    info.world_size = environment.number<int>("SLURM_STEP_NUM_TASKS");
    info.rank = environment.number<int>("SLURM_PROCID");
    info.local_rank = environment.number<int>("SLURM_LOCALID");
    info.srun_mpi_type = environment.get_or_empty("SLURM_MPI_TYPE");
    info.without_pmi = !environment.has("PMIX_NAMESPACE") && !environment.has("PMIX_RANK") &&
                       !environment.has("PMI_RANK") && !environment.has("PMI_FD");
    // One task is complete without MPI, and srun starts it with any --mpi, also a wrong one.
    info.use_mpi = info.world_size != 1;
    return info;
}

LaunchInfo nobody(const Environment& environment) {
    LaunchInfo info;
    info.world_size = 1;
    info.rank = 0;
    info.reason = "no MPI launcher started this process";
    if (const auto job = environment.find("SLURM_JOB_ID")) {
        info.reason = fmt::format("in Slurm job {}, but not started by srun or mpirun", *job);
        if (const auto tasks = environment.number<int>("SLURM_NTASKS"); tasks && *tasks > 1) {
            info.reason +=
                fmt::format("; the job has {} tasks, 'srun' starts a rank in each", *tasks);
        }
    }
    return info;
}

/// The innermost launcher: an mpirun in an allocation starts its daemons by srun, so its processes
/// have Slurm's step variables too; srun's own PMI plugins set PMI_SIZE and PMIX_RANK as well.
LaunchInfo innermost(const Environment& environment) {
    const bool in_step = is_srun_task(environment);
    if (environment.has("OMPI_COMM_WORLD_SIZE")) {
        return open_mpi(environment);
    }
    if (environment.has("PMI_SIZE") && (!in_step || environment.has("MPI_LOCALNRANKS"))) {
        return pmi(environment);
    }
    if (const auto space = environment.find("PMIX_NAMESPACE");
        space && environment.has("PMIX_RANK") && !(in_step && space->starts_with("slurm."))) {
        return pmix(environment);
    }
    if (environment.has("PALS_RANKID")) {
        return pmi(environment);
    }
    return in_step ? srun(environment) : nobody(environment);
}

std::string describe(const LaunchInfo& info) {
    std::string text = fmt::format("started by {}", to_string(info.launcher));
    if (info.rank && info.world_size) {
        text += fmt::format(" as process {} of {}", *info.rank, *info.world_size);
    }
    return text;
}

/// "Open MPI v4.1.4", "MPICH Version: 4.0.2": the first clause, with white space made one blank.
std::string short_version(std::string_view library) {
    std::string text;
    for (const char c : library.substr(0, library.find_first_of(",\n"))) {
        const bool blank = c == ' ' || c == '\t' || c == '\r';
        if (!blank) {
            text.push_back(c);
        } else if (!text.empty() && text.back() != ' ') {
            text.push_back(' ');
        }
    }
    return text.empty() ? "an unknown MPI" : text;
}

std::string advice_for_srun(const LaunchInfo& launch, bool open_mpi_library) {
    const std::string_view wanted = open_mpi_library ? "pmix" : "pmi2";
    if (launch.srun_mpi_type.starts_with(wanted)) {
        return fmt::format("srun already used --mpi={}; ask the site which --mpi its MPI needs "
                           "('srun --mpi=list' lists them), or start with mpirun inside the job",
                           launch.srun_mpi_type);
    }
    const std::string used = launch.srun_mpi_type.empty()
                                 ? ""
                                 : fmt::format(" (srun used --mpi={})", launch.srun_mpi_type);
    return fmt::format("start it with 'srun --mpi={}'{}", wanted, used);
}

} // namespace

std::string_view to_string(Launcher launcher) {
    switch (launcher) {
    case Launcher::none:
        return "no launcher";
    case Launcher::open_mpi:
        return "Open MPI's mpirun";
    case Launcher::hydra:
        return "a PMI launcher (mpiexec of MPICH or Intel MPI)";
    case Launcher::pals:
        return "PALS";
    case Launcher::pmix:
        return "a PMIx launcher";
    case Launcher::srun:
        return "srun";
    }
    return "an unknown launcher";
}

Result<LaunchInfo> detect_launch(const Environment& environment) {
    LaunchInfo info = innermost(environment);
    if (info.launcher != Launcher::none) {
        info.reason = describe(info);
    }
    const std::string_view transport = environment.get_or_empty("MUSTER_TRANSPORT");
    if (transport == "local" || transport == "mpi") {
        info.use_mpi = transport == "mpi";
        info.reason += fmt::format("; MUSTER_TRANSPORT={}", transport);
    } else if (transport != "auto" && !transport.empty()) {
        return Failure{ErrorCode::usage,
                       fmt::format("MUSTER_TRANSPORT is '{}'; use auto (MPI when an MPI launcher "
                                   "started this process), local or mpi",
                                   transport)};
    }
    return info;
}

std::optional<Failure> check_world(const LaunchInfo& launch,
                                   int actual_rank,
                                   int actual_size,
                                   std::string_view mpi_library) {
    if (!launch.use_mpi || launch.launcher == Launcher::none || !launch.world_size ||
        *launch.world_size == actual_size) {
        return std::nullopt;
    }
    const std::string library = short_version(mpi_library);
    const bool open_mpi_library = mpi_library.find("Open MPI") != std::string_view::npos;
    std::string advice;
    if (launch.launcher == Launcher::srun) {
        advice = advice_for_srun(launch, open_mpi_library);
    } else if (open_mpi_library == (launch.launcher == Launcher::open_mpi)) {
        advice = "start it with the mpirun that belongs to that library";
    } else {
        advice = "start it with that MPI's own mpirun, or build it with the MPI of this one";
    }
    return Failure{
        ErrorCode::failed,
        fmt::format("{} started {} processes, and process {} finds itself as rank {} of {}: this "
                    "program was built with {}, which did not connect to that launcher; {}",
                    to_string(launch.launcher),
                    *launch.world_size,
                    launch.rank ? fmt::to_string(*launch.rank) : "?",
                    actual_rank,
                    actual_size,
                    library,
                    advice)};
}

std::string start_doubt(const LaunchInfo& launch) {
    if (launch.launcher != Launcher::srun || !launch.use_mpi || !launch.without_pmi) {
        return {};
    }
    return fmt::format(
        "srun gave its {} tasks nothing to find each other by{}: if MPI fails to start, "
        "use 'srun --mpi=pmix' for Open MPI, 'srun --mpi=pmi2' for MPICH",
        launch.world_size ? fmt::to_string(*launch.world_size) : "",
        launch.srun_mpi_type.empty() ? " (--mpi=none?)"
                                     : fmt::format(" (--mpi={})", launch.srun_mpi_type));
}

bool ties_to_launcher(std::string_view variable) {
    // Named one by one where users set variables with the same beginning (OMPI_MCA_, PMIX_MCA_).
    static constexpr auto prefixes =
        std::to_array<std::string_view>({"HYDI_",
                                         "HYDRA_",
                                         "MPI_LOCAL",
                                         "MV2_COMM_WORLD_",
                                         "OMPI_APP_CTX_",
                                         "OMPI_ARGV",
                                         "OMPI_COMMAND",
                                         "OMPI_COMM_WORLD_",
                                         "OMPI_FILE_LOCATION",
                                         "OMPI_FIRST_RANKS",
                                         "OMPI_MCA_ess_base_",
                                         "OMPI_MCA_initial_wdir",
                                         "OMPI_MCA_mpi_oversubscribe",
                                         "OMPI_MCA_orte_app_num",
                                         "OMPI_MCA_orte_bound_at_launch",
                                         "OMPI_MCA_orte_ess_",
                                         "OMPI_MCA_orte_hnp_uri",
                                         "OMPI_MCA_orte_jobfam_session_dir",
                                         "OMPI_MCA_orte_launch",
                                         "OMPI_MCA_orte_local_daemon_uri",
                                         "OMPI_MCA_orte_num_nodes",
                                         "OMPI_MCA_orte_precondition_transports",
                                         "OMPI_MCA_orte_top_session_dir",
                                         "OMPI_NUM_APP_CTX",
                                         "OMPI_UNIVERSE_SIZE",
                                         "PALS_",
                                         "PMI2_",
                                         "PMIX_BFROP_",
                                         "PMIX_DSTORE_",
                                         "PMIX_GDS_MODULE",
                                         "PMIX_HOSTNAME",
                                         "PMIX_ID",
                                         "PMIX_NAMESPACE",
                                         "PMIX_RANK",
                                         "PMIX_SECURITY_MODE",
                                         "PMIX_SERVER_",
                                         "PMIX_SYSTEM_TMPDIR",
                                         "PMIX_VERSION",
                                         "PMI_",
                                         "PRTE_LAUNCHED",
                                         "SLURM_LOCALID",
                                         "SLURM_MPI_TYPE",
                                         "SLURM_PMI",
                                         "SLURM_PROCID",
                                         "SLURM_STEPID",
                                         "SLURM_STEP_",
                                         "SLURM_TASK_PID"});
    return variable == "OMPI_MCA_ess" || variable == "OMPI_MCA_pmix" ||
           std::ranges::any_of(prefixes,
                               [&](std::string_view p) { return variable.starts_with(p); });
}

} // namespace muster::slurm
