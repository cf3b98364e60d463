#include "doctor/doctor_command.hpp"

#include "doctor/judge.hpp"

#include <muster/base/error.hpp>

#include <algorithm>
#include <iostream>

namespace muster::launcher::doctor {
namespace {

int run(const Arguments& arguments) {
    const auto findings = judge(gather_facts());
    std::cout << (arguments.is_set("json") ? as_json(findings) : as_text(findings)) << std::flush;
    if (!std::cout) {
        throw Error("standard output cannot be written");
    }
    return std::ranges::count(findings, Verdict::problem, &Finding::verdict) > 0 ? 1 : 0;
}

} // namespace

const Subcommand& subcommand() {
    static const Subcommand subcommand{
        .name = "doctor",
        .summary = "checks this machine for what Muster needs, and says what to change",
        .usage = "[--json]",
        .examples = {{"muster doctor", "here"},
                     {"srun -N 4 --ntasks-per-node=1 --label muster doctor",
                      "on every node of a job"},
                     {"muster doctor --json | jq '.findings[] | select(.verdict == \"problem\")'",
                      "for programs"}},
        .description =
            "Looks at MPI (the library, its launcher, whether they fit), Slurm (the job, the "
            "client "
            "commands, what srun speaks), which way 'muster run' takes and why not another, PMI, "
            "shared memory, limits, clocks, GPU libraries, the CPUs and memory that this process "
            "may "
            "use, and the file systems of the working directory and of TMPDIR. Each is ok, a note, "
            "or "
            "a problem with what to change.\n\n"
            "It says what holds for this process on this node: in a job, run it on every node.",
        .exit_codes = {{"0", "no problem"},
                       {"1", "a problem"},
                       {"2", "a command line that cannot be used"}},
        .words = Words::none,
        .add_options =
            [](po::options_description& options) {
                options.add_options()("json", po::bool_switch(), "as JSON");
            },
        .run = run};
    return subcommand;
}

} // namespace muster::launcher::doctor
