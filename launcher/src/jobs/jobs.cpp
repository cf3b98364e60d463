#include "jobs/jobs.hpp"

#include "jobs/queue.hpp"
#include "jobs/record_files.hpp"
#include "tool/tool.hpp"

#include <muster/base/error.hpp>
#include <muster/slurm/environment.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace muster::launcher::jobs {
namespace {

using Texts = std::vector<std::string>;

void add_options(po::options_description& options) {
    options.add_options()                                                 //
        ("json", po::bool_switch(), "for programs")                       //
        ("watch,w", po::bool_switch(), "look again until all have ended") //
        ("interval",
         po::value<int>()->value_name("SECONDS")->default_value(10),
         "how often --watch looks: each look is one question to Slurm's controller"); //
}

/// One question to Slurm's controller, however many jobs there are.
std::vector<QueueRow> ask_queue() {
    const auto answer = ask_tool(
        {"squeue", "--me", "--array", "--states=all", "--noheader", "--Format=" + queue_format()});
    if (!answer) {
        throw Error(answer.error().message);
    }
    if (answer->code != 0) {
        throw Error(first_complaint(*answer));
    }
    return parse_queue(answer->out);
}

/// Only where the site keeps accounts; without, there is no answer, and nothing is wrong.
std::vector<QueueRow> ask_accounting(const std::vector<std::string>& ids) {
    const auto answer = ask_tool({"sacct",
                                  "--noheader",
                                  "--parsable2",
                                  "--allocations",
                                  "--format=" + accounting_fields(),
                                  fmt::format("--jobs={}", fmt::join(ids, ","))});
    return answer && answer->code == 0 ? parse_accounting(answer->out) : std::vector<QueueRow>{};
}

std::vector<JobView> look(const std::filesystem::path& folder, const Texts& ids) {
    const auto known = load_records(folder);
    auto rows = ask_queue();
    auto views = join(known, rows);
    if (const auto unknown = forgotten(views); !unknown.empty()) {
        const auto kept = ask_accounting(unknown);
        rows.insert(rows.end(), kept.begin(), kept.end());
        views = join(known, rows);
    }
    return select(std::move(views), ids);
}

int code_of(const std::vector<JobView>& views) {
    return std::ranges::any_of(views, &JobView::has_failed) ? 1 : 0;
}

bool all_ended(const std::vector<JobView>& views) {
    return std::ranges::all_of(views, &JobView::has_ended);
}

void pause(int seconds) {
    ::poll(nullptr, 0, seconds * 1000); // Ctrl-C ends it, and us.
}

int show(const Arguments& arguments, const std::filesystem::path& folder) {
    const int interval = arguments.get<int>("interval");
    if (interval < 1 || interval > 86400) {
        throw UsageError(fmt::format("--interval is {}; it is 1 to 86400 seconds", interval));
    }
    const bool watch = arguments.is_set("watch");
    const bool clears = watch && ::isatty(STDOUT_FILENO) == 1;
    std::string last;
    for (;;) {
        const auto views = look(folder, arguments.words);
        const std::string text = arguments.is_set("json") ? json(views) : table(views);
        if (views.empty() && !arguments.is_set("json")) {
            std::cerr << "muster: no jobs; muster submit submits some\n";
        } else if (text != last) {
            std::cout << (clears ? "\x1b[H\x1b[2J" : "") << text << std::flush;
            last = text;
        }
        if (!watch) {
            return 0;
        }
        if (all_ended(views)) {
            return code_of(views);
        }
        pause(interval);
    }
}

int cancel(const Texts& ids) {
    if (ids.empty()) {
        throw UsageError("which jobs? muster jobs cancel 12 13");
    }
    for (const std::string& id : ids) {
        if (id.find_first_not_of("0123456789_") != std::string::npos) {
            throw UsageError(fmt::format("'{}' is no job's number", id));
        }
    }
    Texts command{"scancel"};
    command.insert(command.end(), ids.begin(), ids.end());
    const auto answer = ask_tool(command);
    if (!answer) {
        throw Error(answer.error().message);
    }
    if (answer->code != 0 || !answer->err.empty()) {
        throw Error(first_complaint(*answer));
    }
    return 0;
}

int run(const Arguments& arguments) {
    if (!arguments.words.empty() && arguments.words.front() == "cancel") {
        return cancel(Texts(arguments.words.begin() + 1, arguments.words.end()));
    }
    return show(arguments, records_folder(slurm::Environment::of_process()).value_or_throw());
}

} // namespace

const Subcommand& subcommand() {
    static const Subcommand jobs{
        .name = "jobs",
        .summary = "shows what became of submitted jobs",
        .usage = "[options] [job …] | cancel job …",
        .examples = {{"muster jobs", "all that muster submit has submitted"},
                     {"muster jobs --watch 12", "until job 12 has ended; exit code 1 if it failed"},
                     {"muster jobs --json 12 | jq '.[].state'", "for programs"},
                     {"muster jobs cancel 12", "ends it, or keeps it from starting"}},
        .description =
            R"(One question to Slurm's controller tells of all jobs that it knows: state, time and limit, why it waits, exit code, how often it ran, and its log. Slurm forgets a job some minutes after its end; then its accounting is asked (sacct), where the site has one, and what the job's script noted itself counts. Of a job that --chain made go on as another one, both are shown. GONE is a job that neither Slurm nor its script tells of any more: its script was killed, or did not see ~/.local/state/muster/jobs, where these notes lie.)",
        .exit_codes = {{"0", "shown; with --watch: all have ended, and well"},
                       {"1", "with --watch: one has failed; or Slurm did not answer"},
                       {"2", "a command line that cannot be used"}},
        .words = Words::anywhere,
        .add_options = add_options,
        .run = run};
    return jobs;
}

} // namespace muster::launcher::jobs
