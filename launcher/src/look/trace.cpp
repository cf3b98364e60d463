// muster trace, report: what a run's traces say, for other programs and for people.

#include "look/chrome.hpp"
#include "look/commands.hpp"
#include "look/html.hpp"
#include "look/model.hpp"
#include "look/runs.hpp"
#include "look/traces.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>

namespace muster::launcher::look {
namespace {

constexpr const char* where_traces_are =
    "A run writes them if MUSTER_TRACE names a directory: a file for each rank, which all ranks "
    "must "
    "be able to write there. With no DIR those of a run on this machine are taken (or --job's), as "
    "far as they are written: up to a second is missing.\n\n"
    "Times of ranks on different nodes are on one clock: ranks compare theirs with rank 0's while "
    "they run. What is missing, the file of a rank, or the end of one that was killed, is said.";

void add_trace_options(po::options_description& options) {
    add_run_options(options);
    options.add_options()("run",
                          po::value<std::string>()->value_name("RUN"),
                          "which run, of several whose traces are in DIR; default: the last");
    options.add_options()(
        "output,o", po::value<std::string>()->value_name("FILE"), "where to; - is standard output");
}

/// Writes a file as a whole, or not at all. "-": standard output.
void write(const std::string& path, const std::function<void(std::ostream&)>& content) {
    if (path == "-") {
        content(std::cout);
        std::cout << std::flush;
        if (!std::cout) {
            throw Error("standard output cannot be written");
        }
        return;
    }
    const std::string part = path + ".part";
    {
        std::ofstream file(part, std::ios::binary | std::ios::trunc);
        if (file) {
            content(file);
            file.flush();
        }
        if (!file) {
            std::error_code ignored;
            std::filesystem::remove(part, ignored);
            throw Error(fmt::format("{} cannot be written", path));
        }
    }
    std::error_code error;
    std::filesystem::rename(part, path, error);
    if (error) {
        throw Error(fmt::format("{} cannot be written: {}", path, error.message()));
    }
}

int make(const Arguments& arguments,
         const std::string& usual,
         const std::function<void(const Model&, std::ostream&)>& content,
         const std::string& advice) {
    const Model model = load_traces(arguments, arguments.words);
    const std::string path = arguments.has("output") ? arguments.get<std::string>("output") : usual;
    write(path, [&](std::ostream& out) { content(model, out); });
    for (const std::string& sentence : shortcomings(model)) {
        std::cerr << "muster: " << sentence << '\n';
    }
    if (path != "-") {
        std::cout << path << ": " << model.slices.size() << " runs of tasks on "
                  << model.ranks.size() << (model.ranks.size() == 1 ? " rank" : " ranks") << advice
                  << std::endl;
    }
    return 0;
}

int run_trace(const Arguments& arguments) {
    return make(
        arguments,
        "trace.json",
        [](const Model& model, std::ostream& out) { write_chrome(model, out); },
        "; open it at https://ui.perfetto.dev, which keeps it in the browser");
}

int run_report(const Arguments& arguments) {
    return make(
        arguments,
        "report.html",
        [](const Model& model, std::ostream& out) { out << render_html(model); },
        "");
}

const std::vector<ExitCode>& exit_codes() {
    static const std::vector<ExitCode> codes{
        {"0", "the file is written"},
        {"1", "there are no traces, or the file cannot be written"},
        {"2", "the command line cannot be used, or it is not clear which run is meant"}};
    return codes;
}

} // namespace

Model load_traces(const Arguments& arguments, const std::vector<std::string>& directories) {
    if (directories.size() > 1) {
        throw UsageError("traces are read from one directory");
    }
    std::string run = arguments.has("run") ? arguments.get<std::string>("run") : "";
    std::string directory;
    if (!directories.empty()) {
        directory = directories.front();
    } else {
        const auto place = find_run(arguments);
        const auto hello = ask(place, "hello", [](const nlohmann::json&, const std::string&) {});
        directory = hello.value("trace", "");
        if (directory.empty()) {
            throw Error(fmt::format("the run {} writes no trace: start it with MUSTER_TRACE=DIR",
                                    place.pid));
        }
        if (!directory.starts_with('/')) { // where the run is
            directory = fmt::format("/proc/{}/cwd/{}", place.pid, directory);
        }
        run = hello.value("run", "");
    }
    const TraceFiles files = find_traces(directory, run);
    if (run.empty() && !files.others.empty()) {
        std::cerr << fmt::format("muster: {} has traces of {} runs; taken is the last, {:016x}\n",
                                 directory,
                                 files.others.size() + 1,
                                 files.run_id);
    }
    return load(files);
}

const Subcommand& trace_command() {
    static const Subcommand command{
        .name = "trace",
        .summary = "turns a run's traces into a file for Perfetto: tasks, transfers, collectives "
                   "over time",
        .usage = "[options] [DIR]",
        .examples = {{"MUSTER_TRACE=traces mpirun ./app && muster trace traces",
                      "writes trace.json"},
                     {"muster trace --job 4711 -o now.json", "of a run that goes on"}},
        .description = where_traces_are,
        .exit_codes = exit_codes(),
        .words = Words::anywhere,
        .add_options = add_trace_options,
        .run = run_trace};
    return command;
}

const Subcommand& report_command() {
    static const Subcommand command{
        .name = "report",
        .summary =
            "writes an HTML page about a run: how busy it was, what was slow, failed, or critical",
        .usage = "[options] [DIR]",
        .examples = {{"MUSTER_TRACE=traces mpirun ./app && muster report traces",
                      "writes report.html"},
                     {"muster report --job 4711 -o now.html", "of a run that goes on"}},
        .description = where_traces_are,
        .exit_codes = exit_codes(),
        .words = Words::anywhere,
        .add_options = add_trace_options,
        .run = run_report};
    return command;
}

} // namespace muster::launcher::look
