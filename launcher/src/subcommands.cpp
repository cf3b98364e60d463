#include "subcommands.hpp"

#include "data/commands.hpp"
#include "doctor/doctor_command.hpp"
#include "jobs/jobs.hpp"
#include "look/commands.hpp"
#include "pool/pool.hpp"
#include "run/run_command.hpp"
#include "submit/submit.hpp"
#include "sweep/output_commands.hpp"
#include "sweep/sweep.hpp"

#include <array>

namespace muster::launcher {

std::span<const Subcommand* const> subcommands() {
    static const std::array all{&run::subcommand(),
                                &doctor::subcommand(),
                                &sweep::subcommand(),
                                &sweep::cat_subcommand(),
                                &sweep::grep_subcommand(),
                                &sweep::follow_subcommand(),
                                &submit::subcommand(),
                                &jobs::subcommand(),
                                &pool::subcommand(),
                                &look::top_command(),
                                &look::status_command(),
                                &look::tasks_command(),
                                &look::explain_command(),
                                &look::trace_command(),
                                &look::report_command(),
                                &data::inspect_command(),
                                &data::convert_command(),
                                &data::reshard_command(),
                                &data::verify_command()};
    return all;
}

} // namespace muster::launcher
