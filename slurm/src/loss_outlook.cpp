#include <muster/slurm/loss_outlook.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace muster::slurm {
namespace {

// As Open MPI reads the value of a boolean parameter.
bool is_true(std::string_view text) {
    static constexpr auto words = std::to_array<std::string_view>(
        {"1", "true", "True", "TRUE", "yes", "Yes", "YES", "on", "enabled", "t", "y"});
    return std::ranges::find(words, text) != words.end();
}

LossOutlook open_mpi(const Environment& environment) {
    if (environment.has("PRTE_LAUNCHED") || environment.has("OMPI_VERSION")) { // 5 and later
        return {std::nullopt,
                "Open MPI 5 does not show it; with 'mpirun --runtime-options "
                "error-nonzero-status=0,recoverable=1,continuous=1' they live"};
    }
    if (is_true(environment.get_or_empty("OMPI_MCA_orte_enable_recovery"))) {
        return {true, "mpirun was told --enable-recovery"};
    }
    if (environment.has("OMPI_MCA_orte_ess_num_procs")) { // mpirun of 4 and earlier
        return {false, "mpirun ends the job; with 'mpirun --enable-recovery' they live"};
    }
    return {std::nullopt, "the launcher does not show it"};
}

LossOutlook srun(const Environment& environment) {
    const auto kill = environment.number<int>("SLURM_KILL_BAD_EXIT");
    if (!kill) {
        return {std::nullopt,
                "slurm.conf decides (KillOnBadExit); with 'srun --kill-on-bad-exit=0 --no-kill' "
                "they live"};
    }
    if (*kill == 0 && environment.has("PMIX_RANK")) {
        return {std::nullopt,
                "they outlive a lost node; but Slurm's pmix plugin ends the step when a process is "
                "killed: 'mpirun --enable-recovery' inside the job leaves them alive"};
    }
    return {*kill == 0, fmt::format("SLURM_KILL_BAD_EXIT={}", *kill)};
}

} // namespace

LossOutlook loss_outlook(const Environment& environment, const LaunchInfo& launch) {
    if (!launch.use_mpi) {
        return {false, "there is one process"};
    }
    switch (launch.launcher) {
    case Launcher::open_mpi:
        return open_mpi(environment);
    case Launcher::hydra:
        return {false,
                "mpiexec ends the job when a process is killed; use 'mpirun --enable-recovery' of "
                "Open MPI 4"};
    case Launcher::srun:
        return srun(environment);
    case Launcher::none:
    case Launcher::pals:
    case Launcher::pmix:
        break;
    }
    return {std::nullopt, "the launcher does not show it"};
}

} // namespace muster::slurm
