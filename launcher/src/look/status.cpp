// muster status, tasks, explain: one question, one answer.

#include "look/afterwards.hpp"
#include "look/commands.hpp"
#include "look/runs.hpp"
#include "look/traces.hpp"
#include "look/view.hpp"

#include <muster/base/error.hpp>
#include <muster/look/task_name.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>

namespace muster::launcher::look {
namespace {

using nlohmann::json;

constexpr std::array states{"waiting",
                            "withheld",
                            "delayed",
                            "ready",
                            "placed",
                            "running",
                            "blocked",
                            "done",
                            "failed",
                            "unstarted"};

/// Standard output, of which a reader that has seen enough is the end.
bool say(std::string_view line) {
    std::cout << line << '\n';
    return static_cast<bool>(std::cout);
}

int finish() {
    std::cout << std::flush;
    return std::cout ? 0 : 1;
}

/// --trace, --run: a run that has ended.
void add_afterwards_options(po::options_description& options) {
    options.add_options()("trace,t",
                          po::value<std::string>()->value_name("DIR"),
                          "of a run that has ended, from the traces in DIR (its MUSTER_TRACE)");
    options.add_options()("run",
                          po::value<std::string>()->value_name("RUN"),
                          "which, of several whose traces are there; default: the last");
}

/// Of --trace. What is missing is said.
Model load_ended(const Arguments& arguments) {
    Model model = load_traces(arguments, {arguments.get<std::string>("trace")});
    for (const std::string& sentence : shortcomings(model)) {
        std::cerr << "muster: " << sentence << '\n';
    }
    return model;
}

void add_status_options(po::options_description& options) {
    add_run_options(options);
    add_afterwards_options(options);
    options.add_options()(
        "json", po::bool_switch(), "one JSON object, of which nothing is left out");
    options.add_options()(
        "prometheus", po::bool_switch(), "metrics in the text format that Prometheus reads");
}

int run_status(const Arguments& arguments) {
    if (arguments.is_set("json") && arguments.is_set("prometheus")) {
        throw UsageError("--json and --prometheus are two forms of one answer: choose one");
    }
    json status;
    json hello;
    if (arguments.has("trace")) {
        const Model model = load_ended(arguments);
        hello = hello_of(model);
        status = status_of(model);
    } else {
        hello = ask(find_run(arguments), "status", [&](const json& item, const std::string&) {
            status = item;
        });
    }
    if (arguments.is_set("json")) {
        status.erase("type");
        json both = hello;
        both.erase("type");
        both.erase("ranks"); // their number; the list has them
        both.update(status);
        say(both.dump(-1, ' ', false, json::error_handler_t::replace));
    } else if (arguments.is_set("prometheus")) {
        std::cout << prometheus({hello, status});
    } else {
        for (const std::string& line : render({hello, status}, nullptr, {})) {
            say(line);
        }
    }
    return finish();
}

void add_task_options(po::options_description& options) {
    add_run_options(options);
    add_afterwards_options(options);
    options.add_options()(
        "state,s",
        po::value<std::vector<std::string>>()->composing()->value_name(
            "waiting|withheld|delayed|ready|placed|running|blocked|done|failed|unstarted"),
        "only those; may be given several times, or with commas. \"placed\" are "
        "also those that run");
    options.add_options()("name,n",
                          po::value<std::string>()->value_name("TEXT"),
                          "only those in whose name, or function's name, this is");
    options.add_options()("rank,r",
                          po::value<std::int64_t>()->value_name("RANK"),
                          "only those that are with this rank");
    options.add_options()("min-seconds",
                          po::value<double>()->value_name("SECONDS"),
                          "only those that have run for so long");
    options.add_options()("limit",
                          po::value<std::uint64_t>()->value_name("N"),
                          "no more than so many; how many were left out is not known then");
    options.add_options()("count", po::bool_switch(), "only how many there are, by state");
    options.add_options()("json", po::bool_switch(), "a JSON object a line");
}

/// Of --state. @throws UsageError
std::string states_of(const Arguments& arguments) {
    std::string joined;
    if (!arguments.has("state")) {
        return joined;
    }
    for (const std::string& given : arguments.get<std::vector<std::string>>("state")) {
        std::string_view rest(given);
        while (!rest.empty()) {
            const auto end = std::min(rest.find(','), rest.size());
            const std::string_view state = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            if (std::find(states.begin(), states.end(), state) == states.end()) {
                throw UsageError(
                    fmt::format("--state {}: a task is {}", state, fmt::join(states, ", ")));
            }
            joined += (joined.empty() ? "" : ",") + std::string(state);
        }
    }
    return joined;
}

std::string row_of(const json& task) {
    const std::string state = task.value("state", "");
    std::string where;
    if (task.contains("rank")) {
        where = fmt::format("rank {}", task.value("rank", 0));
    } else if (state == "waiting") {
        where = fmt::format("for {} argument{}",
                            task.value("missing", 0),
                            task.value("missing", 0) == 1 ? "" : "s");
    }
    const std::string name = task.value("name", "");
    return fmt::format("{:>14}  {:<8} {:>10}  {:<16} {:>8}  {}{}",
                       task.value("task", ""),
                       state,
                       task.contains("seconds") ? duration(task.value("seconds", 0.0))
                                                : std::string(),
                       where,
                       task.value("attempts", 0),
                       fit(task.value("function", ""), 0),
                       name.empty() ? std::string() : fmt::format(" \"{}\"", fit(name, 0)));
}

int run_tasks(const Arguments& arguments) {
    std::string request = "tasks";
    if (const std::string wanted = states_of(arguments); !wanted.empty()) {
        request += " states=" + wanted;
    }
    if (arguments.has("name")) {
        request += " name=" + muster::look::escape(arguments.get<std::string>("name"));
    }
    const double seconds_min =
        arguments.has("min-seconds") ? arguments.get<double>("min-seconds") : 0;
    const std::uint64_t limit = arguments.has("limit") ? arguments.get<std::uint64_t>("limit")
                                                       : std::numeric_limits<std::uint64_t>::max();
    const bool as_json = arguments.is_set("json");
    const bool counts_only = arguments.is_set("count");
    std::map<std::string, std::uint64_t> counts;
    std::uint64_t shown = 0;
    std::string silent;

    struct Enough {};

    const auto take = [&](const json& item, const std::string& line) {
        if (item.value("type", "") == "silent") {
            for (const json& rank : item.value("ranks", json::array())) {
                silent += fmt::format("{}{}", silent.empty() ? "" : ", ", rank.get<std::int64_t>());
            }
            return;
        }
        if ((arguments.has("rank") &&
             item.value("rank", std::int64_t{-1}) != arguments.get<std::int64_t>("rank")) ||
            item.value("seconds", 0.0) < seconds_min) {
            return;
        }
        if (shown == limit) {
            throw Enough{};
        }
        ++shown;
        if (counts_only) {
            ++counts[item.value("state", "")];
            return;
        }
        if (shown == 1 && !as_json) {
            say(fmt::format("{:>14}  {:<8} {:>10}  {:<16} {:>8}  {}",
                            "TASK",
                            "STATE",
                            "RUNS FOR",
                            "WHERE",
                            "ATTEMPTS",
                            "FUNCTION"));
        }
        if (!say(as_json ? line : row_of(item))) {
            throw Enough{};
        }
    };
    const std::string wanted_states = ',' + states_of(arguments) + ',';
    const std::string wanted_name =
        arguments.has("name") ? arguments.get<std::string>("name") : std::string();
    try {
        if (arguments.has("trace")) {
            list_tasks(load_ended(arguments), [&](const json& task) {
                const std::string state = task.at("state");
                const bool fits =
                    (wanted_states == ",," ||
                     wanted_states.find(',' + state + ',') != std::string::npos) &&
                    (task.at("function").get<std::string>().find(wanted_name) !=
                         std::string::npos ||
                     task.at("name").get<std::string>().find(wanted_name) != std::string::npos);
                if (fits) {
                    take(task, task.dump(-1, ' ', false, json::error_handler_t::replace));
                }
            });
        } else {
            (void)ask(find_run(arguments), request, take);
        }
    } catch (const Enough&) {
        // what is asked for is there
    }
    if (counts_only && as_json) {
        say(json(counts).dump());
    } else if (counts_only) {
        for (const char* const state : states) {
            if (counts.contains(state)) {
                say(fmt::format("{:>14}  {}", counted(static_cast<double>(counts[state])), state));
            }
        }
    } else if (shown == 0 && !as_json) {
        std::cerr << "no such tasks\n";
    }
    if (!silent.empty()) {
        std::cout << std::flush;
        std::cerr << "muster: tasks of ranks that do not answer, or are lost, are missing: "
                  << silent << '\n';
        return 3;
    }
    return finish();
}

void add_explain_options(po::options_description& options) {
    add_run_options(options);
    add_afterwards_options(options);
    options.add_options()("json", po::bool_switch(), "a JSON object");
}

int run_explain(const Arguments& arguments) {
    if (arguments.words.empty()) {
        throw UsageError(
            "muster explain needs a task, as muster tasks names it: muster explain 0:17");
    }
    bool all_known = true;
    if (arguments.has("trace")) {
        const Model model = load_ended(arguments);
        for (const std::string& word : arguments.words) {
            const auto task = muster::look::parse_task_name(word);
            bool known = false;
            const std::string text =
                task ? explain(model, static_cast<std::uint64_t>(*task), known)
                     : fmt::format("no task is called {}: they are named as 0:17", word);
            say(arguments.is_set("json")
                    ? json{{"task", word}, {"known", known}, {"text", text}}.dump()
                    : text);
            all_known = all_known && known;
        }
        const int ended = finish();
        return ended == 0 && !all_known ? 1 : ended;
    }
    const auto run = find_run(arguments);
    for (const std::string& word : arguments.words) {
        const std::string task = word.starts_with("task ") ? word.substr(5) : word;
        (void)ask(run,
                  "explain task=" + muster::look::escape(task),
                  [&](const json& item, const std::string& line) {
                      say(arguments.is_set("json") ? line : item.value("text", ""));
                      all_known = all_known && item.value("known", false);
                  });
    }
    const int code = finish();
    return code == 0 && !all_known ? 1 : code;
}

} // namespace

const Subcommand& status_command() {
    static const Subcommand command{
        .name = "status",
        .summary =
            "says how a run is getting on: ranks, tasks by state, memory, what waits for what",
        .usage = "[options]",
        .examples = {{"muster status", "the run on this machine"},
                     {"muster status --job 4711",
                      "one of several, or a Slurm job, from a login node"},
                     {"muster status --json | jq .functions", "for a program"},
                     {"muster status --prometheus > run.prom", "for a text file collector"},
                     {"muster status --trace traces", "of a run that has ended"}},
        .description =
            "A run listens at a Unix socket that only its user can reach, in "
            "$XDG_RUNTIME_DIR/muster "
            "or /tmp/muster-<uid> of the machine that rank 0 is on, unless MUSTER_LOOK=0. Nothing "
            "listens on a network port.\n\n"
            "With --job and the id of a Slurm job whose rank 0 is on another machine, the same "
            "command runs there: srun --overlap.",
        .exit_codes = {{"0", "there is an answer"},
                       {"1", "no run is there, or it does not answer"},
                       {"2",
                        "the command line cannot be used, or it is not clear which run is meant"}},
        .words = Words::none,
        .add_options = add_status_options,
        .run = run_status};
    return command;
}

const Subcommand& tasks_command() {
    static const Subcommand command{
        .name = "tasks",
        .summary = "lists a run's tasks",
        .usage = "[options]",
        .examples = {{"muster tasks --state failed",
                      "what has failed, and is still of use to somebody"},
                     {"muster tasks --state running --min-seconds 60", "what runs for long"},
                     {"muster tasks --name train --json", "a JSON object a line, for a program"},
                     {"muster tasks --count", "how many there are, by state"}},
        .description = "All tasks that a future or another task still needs, however many they "
                       "are: they come in "
                       "pages, and are printed as they come, while the run goes on. So a task may "
                       "have gone on "
                       "meanwhile. What is done and needed by nobody is gone; a trace has it.",
        .exit_codes = {{"0", "all were listed"},
                       {"1", "no run is there, or it ended meanwhile"},
                       {"2",
                        "the command line cannot be used, or it is not clear which run is meant"},
                       {"3", "tasks of ranks that do not answer are missing"}},
        .words = Words::none,
        .add_options = add_task_options,
        .run = run_tasks};
    return command;
}

const Subcommand& explain_command() {
    static const Subcommand command{
        .name = "explain",
        .summary = "says how far a task has come, and what keeps it",
        .usage = "[options] TASK...",
        .examples = {{"muster explain 0:17", "a task, as muster tasks names it"}},
        .description =
            "A sentence: what the task waits for, or where it runs and for how long; of a "
            "ready one, why no rank takes it.",
        .exit_codes = {{"0", "the tasks are known"},
                       {"1", "one is not, or no run is there"},
                       {"2",
                        "the command line cannot be used, or it is not clear which run is meant"}},
        .words = Words::anywhere,
        .add_options = add_explain_options,
        .run = run_explain};
    return command;
}

} // namespace muster::launcher::look
