#include "doctor/judge.hpp"

#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace muster::launcher::doctor {
namespace {

using launch::MpiLibrary;
using slurm::Environment;

constexpr std::uint64_t gibi = std::uint64_t{1} << 30;

/// A machine with nothing to complain about.
Facts healthy() {
    Facts facts;
    facts.tools.mpirun = launch::MpiLauncher{"/usr/bin/mpirun", MpiLibrary::open_mpi, 4};
    facts.tools.own_library = MpiLibrary::open_mpi;
    facts.tools.rank_helper = "/usr/bin/muster-rank";
    facts.shared_memory_bytes = 8 * gibi;
    facts.shared_memory_free_bytes = 8 * gibi;
    facts.limits = {1024, 4096, std::nullopt, std::nullopt, 0};
    facts.clock_source = "tsc";
    facts.clock_in_sync = true;
    facts.cpus_of_machine = 8;
    facts.cpus_of_mask = 8;
    facts.memory_bytes = 16 * gibi;
    facts.file_systems = {{"the working directory", "/data", true, true, 0xEF53, 100 * gibi, true}};
    return facts;
}

/// The worst verdict of an area, and all it says.
std::pair<Verdict, std::string> area(const Facts& facts, std::string_view name) {
    Verdict worst = Verdict::ok;
    std::string text;
    for (const Finding& each : judge(facts)) {
        if (each.area == name) {
            worst = std::max(worst, each.verdict);
            text += each.text + "; " + each.advice + "\n";
        }
    }
    return {worst, text};
}

void expect(const Facts& facts, std::string_view name, Verdict verdict, std::string_view needle) {
    const auto [worst, text] = area(facts, name);
    EXPECT_EQ(worst, verdict) << text;
    EXPECT_NE(text.find(needle), std::string::npos) << "no '" << needle << "' in:\n" << text;
}

TEST(Doctor, AHealthyMachineHasNoProblemAndNoNote) {
    for (const Finding& each : judge(healthy())) {
        EXPECT_EQ(each.verdict, Verdict::ok) << each.area << ": " << each.text;
        EXPECT_TRUE(each.advice.empty()) << each.advice;
    }
}

TEST(Doctor, AnMpirunOfAnotherMpiIsAProblem) {
    Facts facts = healthy();
    facts.tools.mpirun->library = MpiLibrary::mpich;
    expect(facts, "MPI", Verdict::problem, "singletons");
    expect(facts, "muster run", Verdict::problem, "cannot be started");
}

TEST(Doctor, NoMpirunIsAProblemOnlyWhereNothingElseStartsRanks) {
    Facts facts = healthy();
    facts.tools.mpirun.reset();
    expect(facts, "MPI", Verdict::problem, "no mpirun");
    facts.tools.srun = "/usr/bin/srun";
    expect(facts, "MPI", Verdict::note, "no mpirun");
}

TEST(Doctor, SaysWhichWayMusterRunTakesAndWhyNotAnother) {
    expect(healthy(), "muster run", Verdict::ok, "started by /usr/bin/mpirun");
    expect(healthy(), "muster run", Verdict::ok, "not by srun: not in a Slurm allocation");
    Facts facts = healthy();
    facts.tools.srun = "/usr/bin/srun";
    facts.tools.srun_mpi_types = {"pmix", "pmi2"};
    facts.environment = Environment({{"SLURM_JOB_ID", "7"}, {"SLURM_JOB_NUM_NODES", "3"}});
    expect(facts, "muster run", Verdict::ok, "started by srun --mpi=pmix: in Slurm job 7");
    expect(facts, "muster run", Verdict::ok, "--launcher mpirun would do as well");
    expect(facts, "Slurm", Verdict::note, "in job 7 of 3 node(s)"); // sbatch is missing
    facts.tools.srun_mpi_types = {"pmi2"};
    expect(
        facts, "muster run", Verdict::ok, "needs srun --mpi=pmix, which this Slurm does not have");
}

TEST(Doctor, AJobWithoutSrunIsAProblem) {
    Facts facts = healthy();
    facts.environment = Environment(Environment::Variables{{"SLURM_JOB_ID", "7"}});
    expect(facts, "Slurm", Verdict::problem, "no srun");
}

TEST(Doctor, TasksThatCannotFindEachOtherAreAProblemWithTheFlagThatHelps) {
    Facts facts = healthy();
    facts.tools.srun = "/usr/bin/srun";
    facts.environment = Environment({{"SLURM_JOB_ID", "7"},
                                     {"SLURM_STEP_ID", "0"},
                                     {"SLURM_PROCID", "1"},
                                     {"SLURM_STEP_NUM_TASKS", "4"},
                                     {"SLURM_MPI_TYPE", "none"}});
    expect(facts, "PMI", Verdict::problem, "--mpi=pmix");
}

TEST(Doctor, SharedMemoryThatIsMissingOrShort) {
    Facts facts = healthy();
    facts.shared_memory_free_bytes = std::uint64_t{512} << 20;
    expect(facts, "shared memory", Verdict::note, "512 MiB of it free");
    facts.shared_memory_free_bytes = std::uint64_t{32} << 20;
    expect(facts, "shared memory", Verdict::problem, "--shm-size");
    facts.shared_memory_bytes.reset();
    expect(facts, "shared memory", Verdict::problem, "no /dev/shm");
    facts = healthy();
    facts.has_memory_files = false;
    expect(facts, "shared memory", Verdict::problem, "memfd_create");
}

TEST(Doctor, LimitsThatAreLow) {
    Facts facts = healthy();
    facts.limits.open_files = 512;
    expect(facts, "limits", Verdict::note, "ulimit -n 4096");
    facts.limits.open_files = 64;
    facts.limits.open_files_hard = 64;
    expect(facts, "limits", Verdict::problem, "hard limit");
    facts = healthy();
    facts.limits.processes = 100;
    expect(facts, "limits", Verdict::note, "processes: 100");
    facts = healthy();
    facts.limits.locked_bytes = std::uint64_t{64} << 10;
    expect(facts, "limits", Verdict::ok, "locked memory");
    facts.has_infiniband = true;
    expect(facts, "limits", Verdict::problem, "InfiniBand");
    facts = healthy();
    facts.limits.core_bytes.reset();
    expect(facts, "limits", Verdict::note, "ulimit -c 0");
}

TEST(Doctor, ClocksThatAreSlowOrAlone) {
    Facts facts = healthy();
    facts.clock_source = "hpet";
    expect(facts, "clocks", Verdict::note, "hpet");
    facts = healthy();
    facts.clock_in_sync = false;
    expect(facts, "clocks", Verdict::note, "chrony");
}

TEST(Doctor, GpusWithoutTheirLibraries) {
    Facts facts = healthy();
    facts.nvidia_driver = "535.1";
    facts.gpus = 2;
    facts.gpu_libraries = {{"libcuda.so.1", true, ""}, {"libnccl.so.2", false, "no such file"}};
    expect(facts, "GPUs", Verdict::note, "libnccl.so.2 cannot be loaded: no such file");
    facts.gpu_libraries[0].loadable = false;
    expect(facts, "GPUs", Verdict::problem, "libcuda");
    facts.gpu_libraries.clear();
    facts.gpus = 0;
    expect(facts, "GPUs", Verdict::note, "--gres=gpu:1");
}

TEST(Doctor, FewerCpusThanTheMachineHas) {
    Facts facts = healthy();
    facts.cpu_quota = 1.5;
    expect(facts, "CPUs", Verdict::note, "1.5 CPUs' time");
    facts = healthy();
    facts.cpus_of_mask = 1;
    expect(facts, "CPUs", Verdict::note, "--bind-to none");
    facts.environment = Environment({{"SLURM_JOB_ID", "7"}, {"SLURM_CPUS_ON_NODE", "8"}});
    facts.tools.srun = facts.sbatch = facts.scontrol = "/usr/bin/x";
    expect(facts,
           "Slurm",
           Verdict::note,
           "the job has 8 CPUs on this node, and this process may use 1");
}

TEST(Doctor, FileSystemsByWhatTheyAreFor) {
    const auto with = [](FileSystem system) {
        Facts facts = healthy();
        facts.file_systems = {std::move(system)};
        return facts;
    };
    const FileSystem good{"TMPDIR", "/t", true, true, 0xEF53, 100 * gibi, true};
    expect(with(good), "file systems", Verdict::ok, "TMPDIR (/t) is ext4, 100 GiB free");
    FileSystem each = good;
    each.exists = false;
    expect(with(each), "file systems", Verdict::problem, "does not exist");
    each = good;
    each.writable = false;
    expect(with(each), "file systems", Verdict::problem, "cannot be written");
    each = good;
    each.type = 0x6969;
    expect(with(each), "file systems", Verdict::note, "NFS, over the network");
    each.purpose = "the working directory";
    expect(with(each), "file systems", Verdict::ok, "NFS");
    each.locks = false;
    expect(with(each), "file systems", Verdict::note, "flock");
    each = good;
    each.type = 0x01021994;
    expect(with(each), "file systems", Verdict::note, "takes memory");
    each = good;
    each.free_bytes = 1000;
    expect(with(each), "file systems", Verdict::problem, "make room");
    each = good;
    each.type = static_cast<std::int32_t>(0xFE534D42); // as the kernel's signed word has it
    expect(with(each), "file systems", Verdict::note, "SMB");
}

TEST(Doctor, JsonIsReadBackWhateverIsInIt) {
    const std::vector<Finding> findings{{"a \"b\"", Verdict::problem, "back\\slash\nline", "t\tab"},
                                        {"c", Verdict::ok, "ü", ""}};
    std::istringstream stream(as_json(findings));
    boost::property_tree::ptree tree;
    boost::property_tree::read_json(stream, tree);
    EXPECT_EQ(tree.get<int>("problems"), 1);
    const auto& first = tree.get_child("findings").front().second;
    EXPECT_EQ(first.get<std::string>("area"), "a \"b\"");
    EXPECT_EQ(first.get<std::string>("text"), "back\\slash\nline");
    EXPECT_EQ(first.get<std::string>("verdict"), "problem");
}

TEST(Doctor, TextHasTheAdviceBelowItsFinding) {
    EXPECT_EQ(
        as_text({{"MPI", Verdict::problem, "wrong", "mend it"}}),
        "problem  MPI            wrong\n                        -> mend it\n1 problem, 0 notes\n");
}

} // namespace
} // namespace muster::launcher::doctor
