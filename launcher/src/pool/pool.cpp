#include "pool/pool.hpp"

#include "cli/words.hpp"
#include "pool/decide.hpp"
#include "tool/tool.hpp"

#include <muster/base/duration.hpp>
#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace muster::launcher::pool {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;

/// However little happens, what is left is counted so often.
constexpr std::chrono::minutes count_period{10};
/// Counting a million commands takes seconds, on a slow file system more.
constexpr std::chrono::minutes count_patience{10};

void say(const std::string& text) {
    fmt::print("muster pool: {}\n", text);
    std::fflush(stdout);
}

/// This program, asked something else.
std::string ask_self(Texts arguments, std::chrono::milliseconds patience) {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    if (error) {
        throw Error("cannot find the muster program itself: /proc/self/exe cannot be read");
    }
    arguments.insert(arguments.begin(), self.string());
    const auto answer = ask_tool(arguments, {.patience = patience});
    if (!answer) {
        throw Error(answer.error().message);
    }
    if (answer->code != 0) {
        const std::string what = first_complaint(*answer);
        if (answer->code == 2) {
            throw UsageError(what);
        }
        throw Error(what);
    }
    return answer->out;
}

struct Count {
    std::uint64_t total = 0;
    std::uint64_t failed = 0;
    std::uint64_t left = 0;
};

struct Job {
    bool waits = false;
    bool ended = false;
    std::string log{};
};

class Pool {
public:
    explicit Pool(const Arguments& arguments)
        : journal_(fs::absolute(arguments.get<std::string>("journal"))), words_(arguments.words) {
        rules_.jobs_max = at_least_one(arguments, "max-jobs");
        rules_.waiting_max = at_least_one(arguments, "backlog");
        interval_ = time_of(arguments, "interval");
        idle_ = arguments.get<std::string>("idle");
        (void)time_of(arguments, "idle");
        auto options = split_words(arguments.get<std::string>("submit"));
        if (!options) {
            throw UsageError("--submit: " + options.error().message);
        }
        submit_options_ = std::move(*options);
        repeats_failed_ = arguments.is_set("resume-failed");
        if (words_.empty()) {
            throw UsageError(
                "which commands? muster pool --journal DIR -- --range n=1-100 ./job {n}");
        }
        dry_run_ = arguments.is_set("dry-run");
        load_ids();
    }

    int run() {
        count();
        if (dry_run_) {
            say(fmt::format("{} of {} commands are left; each of its jobs would be",
                            count_.left,
                            count_.total));
            fmt::print("{}", ask_self(submit_line(true), std::chrono::minutes(2)));
            return 0;
        }
        for (;;) {
            look();
            const Decision decision = decide(rules_, standing());
            if (decision.step == Step::submit) {
                submit(decision.why);
                continue; // perhaps one more
            }
            if (decision.step == Step::withdraw) {
                withdraw();
                continue;
            }
            if (decision.step == Step::done) {
                say(fmt::format("{}{}",
                                decision.why,
                                count_.failed > 0
                                    ? fmt::format("; {} failed: muster cat --failed {}",
                                                  count_.failed,
                                                  journal_.string())
                                    : ""));
                return count_.failed > 0 ? 1 : 0;
            }
            if (decision.step == Step::give_up) {
                throw Error(fmt::format("{}: {}", decision.why, last_log_));
            }
            if (decision.why != last_reason_) {
                last_reason_ = decision.why;
                say("submits no further job: " + decision.why);
            }
            ::poll(nullptr, 0, static_cast<int>(interval_.count()));
        }
    }

private:
    static int at_least_one(const Arguments& arguments, const char* name) {
        const int value = arguments.get<int>(name);
        constexpr int most = 10'000;
        if (value < 1 || value > most) {
            throw UsageError(
                fmt::format("--{} {}: give a whole number from 1 to {}", name, value, most));
        }
        return value;
    }

    static std::chrono::milliseconds time_of(const Arguments& arguments, const char* name) {
        const auto time = parse_duration(arguments.get<std::string>(name));
        if (!time) {
            throw UsageError(fmt::format("--{}: {}", name, time.error().message));
        }
        return std::max(std::chrono::ceil<std::chrono::milliseconds>(*time),
                        std::chrono::milliseconds(100));
    }

    [[nodiscard]] fs::path ids_file() const { return journal_ / "pool"; }

    /// Jobs of an earlier pool on this journal are this one's, too.
    void load_ids() {
        std::ifstream file(ids_file());
        for (std::string id; file >> id;) {
            jobs_.emplace(id, Job{});
        }
    }

    void remember(const std::string& id) {
        fs::create_directories(journal_);
        std::ofstream file(ids_file(), std::ios::app);
        file << id << '\n';
        if (!file.flush()) {
            throw Error(
                fmt::format("{}: cannot be written; job {} is submitted", ids_file().string(), id));
        }
    }

    [[nodiscard]] Texts sweep_line() const {
        Texts line{"sweep",
                   "--journal",
                   journal_.string(),
                   repeats_failed_ ? "--resume-failed" : "--resume"};
        return line;
    }

    void count() {
        Texts line = sweep_line();
        line.emplace_back("--left");
        line.insert(line.end(), words_.begin(), words_.end());
        const auto answer =
            nlohmann::json::parse(ask_self(std::move(line), count_patience), nullptr, false);
        if (!answer.is_object()) {
            throw Error("muster sweep --left did not say what is left");
        }
        count_ = {answer.at("total").get<std::uint64_t>(),
                  answer.at("failed").get<std::uint64_t>(),
                  answer.at("left").get<std::uint64_t>()};
        counted_ = Clock::now();
    }

    /// One question to Slurm's controller.
    void look() {
        if (jobs_.empty()) {
            return;
        }
        Texts line{"jobs", "--json"};
        for (const auto& [id, job] : jobs_) {
            if (!job.ended) {
                line.push_back(id);
            }
        }
        constexpr std::size_t words_alone = 2;
        if (line.size() == words_alone) {
            return;
        }
        const auto views = nlohmann::json::parse(
            ask_self(std::move(line), std::chrono::minutes(2)), nullptr, false);
        bool has_ended = false;
        for (const auto& view : views) {
            const auto place = jobs_.find(view.value("job", ""));
            if (place == jobs_.end()) {
                continue;
            }
            Job& job = place->second;
            const std::string state = view.value("state", "");
            job.log = view.value("log", "");
            job.waits = state == "PENDING";
            job.ended = view.value("ended", false);
            has_ended = has_ended || job.ended;
            if (view.contains("goes_on_as") && view["goes_on_as"].is_string()) {
                jobs_.emplace(view["goes_on_as"].get<std::string>(), Job{.waits = true});
            }
            if (job.ended) {
                say(fmt::format("job {} has ended: {}", place->first, state));
                last_log_ = job.log;
            }
        }
        if (has_ended || Clock::now() - counted_ >= count_period) {
            const std::uint64_t before = count_.left;
            count();
            if (has_ended) {
                fruitless_ = count_.left < before_jobs_ ? 0 : fruitless_ + 1;
                before_jobs_ = count_.left;
            }
            if (count_.left != before) {
                last_reason_.clear();
                say(fmt::format("{} of {} commands are left", count_.left, count_.total));
            }
        }
    }

    [[nodiscard]] Standing standing() const {
        Standing standing{count_.left, 0, 0, fruitless_};
        for (const auto& [id, job] : jobs_) {
            if (!job.ended) {
                ++(job.waits ? standing.waiting : standing.running);
            }
        }
        return standing;
    }

    [[nodiscard]] Texts submit_line(bool dry_run) const {
        std::error_code error;
        Texts line{"submit",
                   dry_run ? "--dry-run" : "--parsable",
                   "--name",
                   "pool-" + journal_.filename().string()};
        line.insert(line.end(), submit_options_.begin(), submit_options_.end());
        line.emplace_back("--");
        line.push_back(fs::read_symlink("/proc/self/exe", error).string());
        const Texts sweep = sweep_line();
        line.insert(line.end(), sweep.begin(), sweep.end());
        line.insert(line.end(), {"--idle-timeout", idle_});
        line.insert(line.end(), words_.begin(), words_.end());
        return line;
    }

    void submit(const std::string& why) {
        std::string id = ask_self(submit_line(false), std::chrono::minutes(2));
        id.erase(id.find_last_not_of(" \n") + 1);
        remember(id);
        jobs_.emplace(id, Job{.waits = true});
        if (before_jobs_ == 0) {
            before_jobs_ = count_.left;
        }
        last_reason_.clear();
        say(fmt::format("submitted job {}: {}", id, why));
    }

    void withdraw() {
        for (auto& [id, job] : jobs_) {
            if (job.waits && !job.ended) {
                (void)ask_self({"jobs", "cancel", id}, std::chrono::minutes(2));
                job.ended = true;
                say(fmt::format("withdrew job {}: nothing is left for it", id));
            }
        }
    }

    fs::path journal_;
    Texts words_; ///< Of the sweep.
    Rules rules_;
    std::chrono::milliseconds interval_{};
    std::string idle_;
    Texts submit_options_;
    bool repeats_failed_ = false;
    bool dry_run_ = false;

    std::map<std::string, Job> jobs_; ///< By number.
    Count count_;
    Clock::time_point counted_{};
    std::uint64_t before_jobs_ = 0; ///< What was left when a job ended last, or the first began.
    int fruitless_ = 0;
    std::string last_reason_;
    std::string last_log_;
};

void add_options(po::options_description& options) {
    options.add_options() //
        ("journal",
         po::value<std::string>()->value_name("DIR"),
         "the sweep's journal, on a file system of all nodes") //
        ("submit",
         po::value<std::string>()->value_name("OPTIONS")->default_value(""),
         "of muster submit, for each job: \"-N 2 -t 60 --partition main\"") //
        ("max-jobs",
         po::value<int>()->value_name("N")->default_value(4),
         "that wait or run at once") //
        ("backlog",
         po::value<int>()->value_name("N")->default_value(1),
         "that wait in the queue at once") //
        ("idle",
         po::value<std::string>()->value_name("TIME")->default_value("5min"),
         "a job ends when for so long only others had commands to run") //
        ("interval",
         po::value<std::string>()->value_name("TIME")->default_value("30s"),
         "how often to look: each look is one question to Slurm's controller")        //
        ("resume-failed", po::bool_switch(), "commands that failed before run again") //
        ("dry-run",
         po::bool_switch(),
         "count what is left and print a job's script; submit nothing");
}

int run(const Arguments& arguments) {
    if (!arguments.has("journal")) {
        throw UsageError("--journal is missing: what the jobs share is a journal, in a folder that "
                         "all nodes see");
    }
    return Pool(arguments).run();
}

} // namespace

const Subcommand& subcommand() {
    static const Subcommand subcommand{
        .name = "pool",
        .summary = "submits jobs for as long as a sweep has commands left",
        .usage = "--journal DIR [options] -- sweep's options and command",
        .examples =
            {{"muster pool --journal out --submit '-N 1 -t 60' -- --range seed=1-10000 ./sim "
              "{seed}",
              "up to four jobs of one node and an hour at a time, until all seeds are done"},
             {"muster pool --journal out --max-jobs 20 --backlog 5 --submit '-N 1 -t 240' -- -f "
              "sweep.toml",
              "a larger one"},
             {"muster pool --journal out --dry-run -- --range seed=1-10000 ./sim {seed}",
              "what it would submit"}},
        .description =
            R"(Each job is a muster sweep of its own on the same journal, and takes commands that no other has: they start whenever Slurm lets them, and end when nothing is left for them. What stands behind '--' is what muster sweep would be given.

It says when it submits, and why it does not: jobs wait in the queue already, as many as allowed are under way, nothing is left, or three jobs in a row ended without finishing a command, which it takes for a mistake and gives up.

Ended by Ctrl-C it leaves its jobs as they are; started again on the same journal it takes them over. muster jobs shows them.)",
        .exit_codes = {{"0", "all commands succeeded"},
                       {"1", "some failed, or it gave up"},
                       {"2", "the command line cannot be used"}},
        .words = Words::command,
        .add_options = &add_options,
        .run = &run};
    return subcommand;
}

} // namespace muster::launcher::pool
