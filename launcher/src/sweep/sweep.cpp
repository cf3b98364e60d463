#include "sweep/sweep.hpp"

#include "cli/words.hpp"
#include "run/all_nodes.hpp"
#include "sweep/command_sources.hpp"
#include "sweep/driver.hpp"
#include "sweep/job_file.hpp"
#include "sweep/settings.hpp"

#include <muster/base/error.hpp>
#include <muster/core/runtime.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::launcher::sweep {
namespace {

/// Of what lies in journals: with another one they are refused.
constexpr const char* journal_version = "muster sweep 1";

using Text = std::string;
using Texts = std::vector<std::string>;

void add_options(po::options_description& options) {
    const auto text = [](const char* name) { return po::value<Text>()->value_name(name); };
    const auto texts = [](const char* name) {
        return po::value<Texts>()->value_name(name)->composing();
    };
    options.add_options() //
        ("values",
         texts("NAME=A,B,…"),
         "a column of values: {NAME} (several times: all combinations)")                  //
        ("range", texts("NAME=FROM-TO[:STEP]"), "a column of whole numbers")              //
        ("array", text("FROM-TO[:STEP]"), "whole numbers, as {} or {1}")                  //
        ("table", texts("FILE"), "columns of a .csv, .tsv or .jsonl file, by its names")  //
        ("lines,a", texts("FILE"), "lines of a file ('-': standard input), as {} or {1}") //
        ("zip,l",
         po::bool_switch(),
         "columns go together, line by line, instead of in all combinations")                   //
        ("file,f", text("FILE"), "a job file (TOML, YAML, JSON) with groups of commands")       //
        ("shell", po::bool_switch(), "a shell runs the command; values are quoted for it")      //
        ("jobs,j", text("N"), "that run at once (default: as many as there are CPUs for)")      //
        ("cpus", text("N"), "CPUs of each command (default: 1)")                                //
        ("gpus", text("N"), "GPUs of each command, or a part of one")                           //
        ("memory", text("SIZE"), "memory of each command: demanded, and a limit")               //
        ("resource", texts("NAME=N"), "another resource, as MUSTER_RESOURCES declares it")      //
        ("priority", text("N"), "higher ones run first (default: 0)")                           //
        ("env", texts("NAME=VALUE"), "a variable of the command; may have replacement strings") //
        ("dir", text("DIR"), "its working directory; may have replacement strings")             //
        ("stdin", text("FILE"), "its standard input; may have replacement strings")             //
        ("retries", text("N"), "how often a command that fails is run again (default: 0)")      //
        ("timeout",
         text("TIME"),
         "a command that takes longer is ended, and has failed: 90s, 10min, 2h") //
        ("halt",
         text("WHEN"),
         "stop early: never; soon or now, with fail=N, fail=N%, success=N, done=N: now,fail=1") //
        ("max-fails", text("N"), "stop at once when more than N have failed")                   //
        ("journal", text("DIR"), "keep what is done, and the output, in this folder")           //
        ("resume", po::bool_switch(), "run only what the journal does not have")                //
        ("resume-failed", po::bool_switch(), "and what it has as failed")                       //
        ("idle-timeout",
         text("TIME"),
         "end when for so long only other jobs had commands of this journal to run")  //
        ("left", po::bool_switch(), "print how many the journal lacks, and run none") //
        ("joblog", text("FILE"), "write a line for each command that ends")           //
        ("print",
         text("grouped|none"),
         "what is printed of their output (default: grouped, and none with --journal)") //
        ("keep-order,k",
         po::bool_switch(),
         "print in the order of the commands, not as they end")                   //
        ("tag", po::bool_switch(), "print the command's number before each line") //
        ("quiet,q", po::bool_switch(), "no progress, no summary")                 //
        ("dry-run,n", po::bool_switch(), "print the commands, and run none");
}

/// A reader of options that names them in its messages.
class Options {
public:
    explicit Options(const Arguments& arguments) : arguments_(arguments) {}

    template <class Apply>
    void read(const char* name, const Apply& apply) const {
        if (arguments_.has(name)) {
            try {
                apply(arguments_.get<Text>(name));
            } catch (const UsageError& error) {
                throw UsageError(fmt::format("--{}: {}", name, error.what()));
            }
        }
    }

    [[nodiscard]] Texts all(const char* name) const {
        return arguments_.has(name) ? arguments_.get<Texts>(name) : Texts{};
    }

    [[nodiscard]] Text one(const char* name) const {
        return arguments_.has(name) ? arguments_.get<Text>(name) : Text{};
    }

    [[nodiscard]] bool is_set(const char* name) const { return arguments_.is_set(name); }

    [[nodiscard]] bool has(const char* name) const { return arguments_.has(name); }

private:
    const Arguments& arguments_;
};

Texts split_commas(const std::string& text) {
    Texts parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

Settings read_settings(const Options& options) {
    Settings settings;
    options.read("cpus", [&](const Text& v) { settings.cpus = parse_amount("cpus", v); });
    options.read("gpus", [&](const Text& v) { settings.gpus = parse_amount("gpus", v); });
    options.read("memory", [&](const Text& v) { settings.memory = parse_memory(v); });
    options.read("priority", [&](const Text& v) { settings.priority = parse_priority(v); });
    options.read("retries", [&](const Text& v) { settings.retries = parse_retries(v); });
    options.read("timeout", [&](const Text& v) { settings.timeout = parse_timeout(v); });
    for (const Text& one : options.all("resource")) {
        const auto [name, amount] = parse_pair("--resource", one);
        settings.resources[name] = parse_amount(name, amount);
    }
    for (const Text& one : options.all("env")) {
        auto [name, value] = parse_pair("--env", one);
        set_variable(settings.environment, name, std::move(value));
    }
    settings.shell = options.is_set("shell");
    settings.directory = options.one("dir");
    settings.input_file = options.one("stdin");
    return settings;
}

std::unique_ptr<Source> lines_source(const Text& path) {
    return path == "-" ? descriptor_source("", STDIN_FILENO) : line_source("", lines_of(path));
}

std::unique_ptr<Combination> read_rows(const Options& options, CommandSources& given) {
    auto rows = std::make_unique<Combination>();
    const bool zip = options.is_set("zip");
    for (const Text& path : options.all("table")) {
        rows->add(table_file(path), zip);
    }
    for (const Text& one : options.all("values")) {
        auto [name, list] = parse_pair("--values", one);
        rows->add(list_source(std::move(name), split_commas(list)), zip);
    }
    for (const Text& one : options.all("range")) {
        auto [name, range] = parse_pair("--range", one);
        rows->add(range_source(std::move(name), range), zip);
    }
    options.read("array", [&](const Text& range) { rows->add(range_source("", range), zip); });
    for (const Text& path : options.all("lines")) {
        rows->add(lines_source(path), zip);
    }
    for (auto& source : given.sources) {
        if (!source.files) {
            rows->add(list_source("", std::move(source.words)), source.linked || zip);
            continue;
        }
        if (source.words.empty()) {
            throw UsageError(":::: names no file");
        }
        for (const Text& path : source.words) {
            rows->add(lines_source(path), source.linked || zip);
        }
    }
    if (rows->empty()) {
        if (::isatty(STDIN_FILENO) == 1) {
            throw UsageError("there are no values: give them behind ':::', or one per line on "
                             "standard input; see muster sweep --help");
        }
        rows->add(descriptor_source("", STDIN_FILENO), false);
    }
    return rows;
}

std::vector<Group> read_groups(const Options& options, const Arguments& arguments) {
    const Settings settings = read_settings(options);
    std::vector<Group> groups;
    if (options.has("file")) {
        if (!arguments.words.empty()) {
            throw UsageError("commands come from --file or from the command line, not from both");
        }
        return read_job_file(options.one("file"), settings);
    }
    CommandSources given = split_sources(arguments.words);
    auto rows = read_rows(options, given);
    groups.emplace_back("", std::move(given.command), std::move(rows), settings);
    return groups;
}

Plan read_plan(const Arguments& arguments) {
    const Options options(arguments);
    Plan plan;
    options.read("halt", [&](const Text& v) { plan.halt = parse_halt_rule(v); });
    options.read("max-fails",
                 [&](const Text& v) { plan.fails_max = parse_count("max-fails", v, 0); });
    options.read("jobs", [&](const Text& v) {
        plan.jobs_max = static_cast<std::size_t>(parse_count("jobs", v, 1));
    });
    if (options.has("journal")) {
        // Ranks may have other working directories.
        plan.journal = std::filesystem::absolute(options.one("journal")).string();
    }
    plan.resume = options.is_set("resume");
    plan.resume_failed = options.is_set("resume-failed");
    if ((plan.resume || plan.resume_failed) && plan.journal.empty()) {
        throw UsageError("--resume goes on with a journal: name it with --journal DIR");
    }
    options.read("idle-timeout", [&](const Text& v) { plan.idle_timeout = parse_timeout(v); });
    plan.print = plan.journal.empty() ? Print::grouped : Print::none;
    options.read("print", [&](const Text& v) {
        if (v != "grouped" && v != "none") {
            throw UsageError(v + ": is grouped or none");
        }
        plan.print = v == "grouped" ? Print::grouped : Print::none;
    });
    plan.keeps_order = options.is_set("keep-order");
    plan.tags = options.is_set("tag");
    plan.quiet = options.is_set("quiet");
    plan.job_log = options.one("joblog");
    return plan;
}

int run(const Arguments& arguments) {
    Plan plan = read_plan(arguments);
    const Options options(arguments);
    if (options.is_set("dry-run")) {
        plan.groups = read_groups(options, arguments);
        return print_commands(std::move(plan));
    }
    const bool left = options.is_set("left");
    if (left && plan.journal.empty()) {
        throw UsageError("--left looks into a journal: name it with --journal DIR");
    }
    if (const auto code = left ? std::nullopt : run::run_on_all_nodes(arguments)) {
        return *code;
    }
    RunOptions run_options;
    if (!plan.journal.empty()) {
        run_options.journal = (std::filesystem::path(plan.journal) / "journal").string();
        run_options.program_version = journal_version;
    }
    return muster::run(
        arguments.argc,
        arguments.argv,
        [&] {
            // Here, where only the driver does it: one process reads standard input and files.
            plan.groups = read_groups(options, arguments);
            return left ? print_left(std::move(plan)) : run_sweep(std::move(plan));
        },
        run_options);
}

} // namespace

const Subcommand& subcommand() {
    static const Subcommand subcommand{
        .name = "sweep",
        .summary = "runs many commands, each with its values",
        .usage = "[options] [--] [command [arguments]…] [::: values…]…",
        .examples =
            {{"muster sweep ./sim --lr {1} --seed {2} ::: 0.1 0.01 ::: 1 2 3",
              "six commands, on all CPUs"},
             {"muster sweep --table trials.csv --journal out --resume ./train --lr {lr} --layers "
              "{layers}",
              "a command for each line of the table; again, and only what is missing is run"},
             {"muster sweep --gpus 1 --timeout 2h --retries 1 --array 1-1000 ./job {}",
              "numbers from 1 to 1000"},
             {"find . -name '*.dat' | muster sweep gzip",
              "a command for each line of standard input"},
             {"muster sweep --file sweep.toml", "groups of commands that depend on one another"},
             {"srun --mpi=pmix muster sweep --journal out ./sim {} :::: inputs.txt",
              "the same on every node of an allocation"}},
        .description =
            R"(Runs a command for each combination of values, as many at once as there are CPUs (and GPUs, memory, other resources) for, on all ranks: one process alone uses its machine; started by mpirun or srun it uses what they started.

Replacement strings: {} all values, {2} the second, {name} of a column; {.} {/} {//} {/.} (and {2.}, {name/}, …) without extension, without folders, the folder, without both; {#} the command's number, {%} its slot. A command in which none stands gets the values as last arguments. Without a command each line is one.

    ::: a b       values               :::+ a b      linked to the source before
    :::: file     lines of a file      ::::+ file    likewise

No shell sees values, unless --shell: then the words are its program, in which values are quoted.

Commands find MUSTER_COMMAND_NUMBER, MUSTER_COMMAND_SLOT and MUSTER_COMMAND_ATTEMPT, CUDA_VISIBLE_DEVICES and OMP_NUM_THREADS in their environment.

With --journal, each command that ends is recorded, and its output goes into a few files there: see muster cat, grep and follow. Several sweeps may work on one journal at once, also from different jobs.)",
        .exit_codes = {{"0", "all commands succeeded"},
                       {"1", "some failed, or the sweep could not be carried out"},
                       {"2", "the command line cannot be used"},
                       {"75", "the run had to end before (SIGTERM, time limit): --resume goes on"},
                       {"130", "interrupted"}},
        .words = Words::command,
        .add_options = &add_options,
        .run = &run};
    return subcommand;
}

} // namespace muster::launcher::sweep
