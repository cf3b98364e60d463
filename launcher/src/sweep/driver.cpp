#include "sweep/driver.hpp"

#include "cli/digits.hpp"
#include "sweep/journal_files.hpp"
#include "sweep/occurrences.hpp"
#include "sweep/output_file.hpp"
#include "sweep/progress.hpp"
#include "sweep/record.hpp"

#include <muster/core/ending.hpp>
#include <muster/core/future_set.hpp>
#include <muster/core/runtime.hpp>
#include <muster/core/task.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>

namespace muster::launcher::sweep {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Commands that are submitted and not done; the rest stay in their sources.
constexpr std::size_t ahead_max = 20'000;
/// How long to wait for a command while standard input may bring others.
constexpr auto input_period = 20ms;
/// Of a command, in the names of tasks: what `muster top` and `muster tasks` show.
constexpr std::size_t task_name_max = 60;
/// How often to look whether this job has anything to run.
constexpr auto idle_period = 200ms;
constexpr std::size_t failures_shown = 10;
/// Looked up in the journal at a time.
constexpr std::size_t batch_max = 1'000;

/// FNV-1a: what lies in journals depends on it, so it never changes.
std::uint64_t stable_hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char letter : text) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
    }
    return hash;
}

std::uint64_t new_run_number() {
    std::random_device device; // tidy: allow random: names a run; nothing is decided by it
    return static_cast<std::uint64_t>(device()) << 32U | device();
}

/// Names of later runs sort behind those of earlier ones.
std::string new_run_name(std::uint64_t run) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return fmt::format(
        "{:012x}{:08x}", std::chrono::floor<std::chrono::milliseconds>(now).count(), run >> 32U);
}

/// The lines of `text`, each behind `tag`.
std::string tagged(const std::string& text, const std::string& tag) {
    std::string result;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size() - 1) + 1;
        result += tag + "\t" + text.substr(begin, end - begin);
        begin = end;
    }
    return result;
}

class Driver {
public:
    explicit Driver(Plan plan)
        : plan_(std::move(plan)), tally_(plan_.halt), run_(new_run_number()),
          run_name_(new_run_name(run_)), display_(plan_.quiet), job_log_(plan_.job_log),
          journal_log_(journal_path("log", run_name_ + ".tsv")),
          again_(plan_.journal.empty() ? fs::path() : fs::path(plan_.journal) / "again",
                 run_name_) {
        for (std::size_t i = 0; i < plan_.groups.size(); ++i) {
            states_.push_back({});
            by_name_[plan_.groups[i].name()] = i;
        }
        write_group_names();
    }

    int run() {
        fill();
        while (!running_.empty() || !all_given()) {
            if (running_.empty()) { // and the next line of standard input is waited for
                if (is_stopping() || !submit_next()) {
                    break;
                }
            }
            auto done = running_.next(patience());
            while (done) {
                on_done(done->tag, std::move(done->future));
                done = running_.next(std::chrono::nanoseconds::zero());
            }
            fill();
            display_.show(standing());
            look_for_work();
        }
        return finish();
    }

    /// Counts, and runs nothing.
    int print_left() {
        std::uint64_t left = 0;
        for (std::size_t i = 0; i < states_.size(); ++i) {
            while (states_[i].phase != Phase::given) {
                left += give_batch(i);
            }
        }
        std::cout << fmt::format(
                         "{{\"total\": {}, \"succeeded\": {}, \"failed\": {}, \"left\": {}}}\n",
                         tally_.done() + left,
                         tally_.succeeded(),
                         tally_.failed(),
                         left)
                  << std::flush;
        return std::cout ? 0 : 1;
    }

private:
    enum class Phase : std::uint8_t { waits, active, given, ended };

    struct GroupState {
        Phase phase = Phase::waits;
        std::uint64_t given = 0; ///< Numbers of its commands end here.
        std::uint64_t open = 0;  ///< Commands that are not done.
        std::uint64_t failed = 0;
        std::uint64_t undone = 0; ///< Given, and never run to an end.
        bool skipped = false;
    };

    /// A command that is submitted.
    struct Pending {
        std::size_t group = 0;
        Command command;
        std::string key;            ///< In the journal, without the attempt.
        std::uint32_t base = 1;     ///< The attempt from which retries count.
        std::uint64_t sequence = 0; ///< Of all groups: the order in which it is printed.
    };

    [[nodiscard]] fs::path journal_path(const char* folder, const std::string& name) const {
        return plan_.journal.empty() || plan_.counts_only ? fs::path()
                                                          : fs::path(plan_.journal) / folder / name;
    }

    /// So that who looks at the output knows which group is which.
    void write_group_names() const {
        const fs::path path = journal_path("output", "groups");
        if (path.empty()) {
            return;
        }
        fs::create_directories(path.parent_path());
        std::ofstream file(path, std::ios::trunc);
        for (const Group& group : plan_.groups) {
            file << group.name() << '\n';
        }
        if (!file.flush()) {
            throw Error(fmt::format("{}: cannot be written", path.string()));
        }
    }

    [[nodiscard]] std::string name_of(std::size_t group, const Command& command) const {
        const std::string& name = plan_.groups[group].name();
        return name.empty() ? std::to_string(command.number)
                            : fmt::format("{}:{}", name, command.number);
    }

    [[nodiscard]] bool is_stopping() const { return stops_ || muster::stopping(); }

    [[nodiscard]] bool all_given() const {
        return std::all_of(states_.begin(), states_.end(), [](const GroupState& state) {
            return state.phase == Phase::given || state.phase == Phase::ended;
        });
    }

    [[nodiscard]] std::optional<std::chrono::nanoseconds> patience() {
        auto time = display_.next();
        if (waits_for_input_ && (!time || *time > input_period)) {
            time = input_period;
        }
        if (plan_.idle_timeout.count() > 0 && (!time || *time > idle_period)) {
            time = idle_period;
        }
        return time;
    }

    /// Stops if for long only other jobs have had something to run.
    void look_for_work() {
        if (plan_.idle_timeout.count() == 0 || running_.empty()) {
            return;
        }
        const auto now = Clock::now();
        const JournalStatus status = journal_status();
        if (status.running > 0 || status.elsewhere == 0) {
            idle_since_ = now;
        } else if (now - idle_since_ >= plan_.idle_timeout && !stops_) {
            stops_ = true;
            left_to_others_ = status.elsewhere;
            running_.cancel_all();
        }
    }

    [[nodiscard]] Standing standing() const {
        Standing standing;
        standing.succeeded = tally_.succeeded();
        standing.failed = tally_.failed();
        standing.earlier = earlier_;
        standing.running = running_.size();
        standing.time = Clock::now() - began_;
        if (all_given()) {
            standing.total = tally_.done() + running_.size();
        }
        return standing;
    }

    /// Groups whose turn has come begin; those that wait for one that failed never do.
    void update_groups() {
        for (bool moved = true; std::exchange(moved, false);) {
            for (std::size_t i = 0; i < states_.size(); ++i) {
                GroupState& state = states_[i];
                if (state.phase == Phase::given && state.open == 0) {
                    state.phase = Phase::ended;
                    moved = true;
                }
                if (state.phase != Phase::waits) {
                    continue;
                }
                bool ready = true;
                bool hopeless = false;
                for (const std::string& name : plan_.groups[i].after()) {
                    const GroupState& before = states_[by_name_.at(name)];
                    ready = ready && before.phase == Phase::ended;
                    hopeless = hopeless || before.skipped ||
                               (before.phase == Phase::ended && before.failed + before.undone > 0);
                }
                if (hopeless) {
                    state.phase = Phase::ended;
                    state.skipped = true;
                    skipped_.push_back(plan_.groups[i].name());
                    moved = true;
                } else if (ready) {
                    state.phase = Phase::active;
                    moved = true;
                }
            }
        }
    }

    /// Submits what may be.
    void fill() {
        update_groups();
        const std::size_t most = plan_.jobs_max > 0 ? plan_.jobs_max : ahead_max;
        waits_for_input_ = false;
        for (std::size_t i = 0; i < states_.size() && !is_stopping(); ++i) {
            while (states_[i].phase == Phase::active && running_.size() < most && !is_stopping()) {
                if (!plan_.groups[i].ready()) {
                    waits_for_input_ = true;
                    break;
                }
                if (resumes()) {
                    give_batch(i);
                } else {
                    give(i);
                }
            }
        }
    }

    /// Of the first group that has one, waiting for it. @return false if none has.
    bool submit_next() {
        update_groups();
        for (std::size_t i = 0; i < states_.size(); ++i) {
            if (states_[i].phase == Phase::active) {
                give(i);
                return true;
            }
        }
        return false;
    }

    /// The next command of a group, counted and named; nothing at its end.
    std::optional<Pending> take(std::size_t group) {
        GroupState& state = states_[group];
        auto command = plan_.groups[group].next(state.given + 1);
        if (!command) {
            state.phase = Phase::given;
            update_groups();
            return std::nullopt;
        }
        ++state.given;
        ++state.open;
        Pending pending{group, std::move(*command), {}, 1, ++sequence_};
        if (!plan_.journal.empty()) {
            pending.key = plan_.groups[group].name() + "/" + pending.command.identity();
            // Equal commands are told apart by their order.
            const std::uint32_t same = occurrences_.add(stable_hash(pending.key));
            pending.key += '#';
            pending.key += std::to_string(same);
        }
        return pending;
    }

    void give(std::size_t group) {
        if (auto pending = take(group)) {
            submit(std::move(*pending));
        }
    }

    [[nodiscard]] bool resumes() const { return plan_.resume || plan_.resume_failed; }

    [[nodiscard]] static std::string journal_key(const Pending& pending) {
        return pending.key + ':' + std::to_string(pending.command.attempt);
    }

    /// Several, of which the journal may have some: those need not be submitted.
    /// @return how many have to be run.
    std::size_t give_batch(std::size_t group) {
        std::size_t left = 0;
        std::vector<Pending> batch;
        std::vector<std::string> keys;
        while (batch.size() < batch_max && plan_.groups[group].ready()) {
            auto pending = take(group);
            if (!pending) {
                break;
            }
            keys.push_back(journal_key(*pending));
            batch.push_back(std::move(*pending));
        }
        auto records = recorded<&carry_out>(keys);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            while (records[i] && goes_on(batch[i], *records[i])) {
                begin_again(batch[i], *records[i]);
                records[i] = recorded<&carry_out>(std::array{journal_key(batch[i])}).front();
            }
            if (records[i]) {
                ++earlier_;
                settle(batch[i], *records[i]);
            } else {
                ++left;
                submit(std::move(batch[i]));
            }
        }
        display_.show(standing());
        return left;
    }

    /// Whether another attempt follows one that ended so.
    [[nodiscard]] bool goes_on(const Pending& pending, const Record& record) const {
        if (record.ok() || is_stopping()) {
            return false;
        }
        return !record.last || has_second_chance(pending, record);
    }

    /// It had failed for good in an earlier run, and is repeated, or was.
    [[nodiscard]] bool has_second_chance(const Pending& pending, const Record& record) const {
        return record.last && record.run != run_ &&
               (plan_.resume_failed ||
                again_.has(stable_hash(pending.key), pending.command.attempt + 1));
    }

    /// Makes it its next attempt.
    void begin_again(Pending& pending, const Record& record) {
        const bool anew = has_second_chance(pending, record);
        ++pending.command.attempt;
        if (anew) {
            pending.base = pending.command.attempt;
            if (!plan_.counts_only) {
                again_.add(stable_hash(pending.key), pending.command.attempt);
            }
        }
    }

    void submit(Pending pending) {
        if (plan_.counts_only) {
            return;
        }
        const Group& group = plan_.groups[pending.group];
        const Settings& settings = group.settings();
        Order order;
        order.command = pending.command;
        order.id = output_id(pending.group, pending.command.number);
        order.timeout_ms = static_cast<std::uint64_t>(settings.timeout.count());
        order.memory_bytes = settings.memory.count;
        order.last = pending.command.attempt - pending.base + 1 > settings.retries;
        order.run = run_;
        order.returns_output = plan_.print == Print::grouped;
        TaskOptions options{.cpus = settings.cpus,
                            .gpus = settings.gpus,
                            .memory = settings.memory,
                            .resources = settings.resources,
                            .priority = settings.priority};
        options.name = name_of(pending.group, pending.command) + ": " +
                       pending.command.shown().substr(0, task_name_max);
        if (!plan_.journal.empty()) {
            order.output = (fs::path(plan_.journal) / "output").string();
            order.output_name = run_name_;
            options.key = journal_key(pending);
        }
        const std::size_t tag = ++last_tag_;
        running_.add(task<&carry_out>.with(std::move(options))(order), tag);
        pending_.emplace(tag, std::move(pending));
    }

    void on_done(std::size_t tag, Future<Record> future) {
        auto entry = pending_.extract(tag);
        Pending& pending = entry.mapped();
        Record record;
        try {
            record = future.get();
        } catch (const TaskError& error) {
            if (error.code() == ErrorCode::cancelled || error.code() == ErrorCode::ending ||
                is_stopping()) {
                ++states_[pending.group].undone;
                --states_[pending.group].open;
                ++undone_;
                return;
            }
            if (error.root_cause().type == "muster::launcher::sweep::OutputError") {
                ++states_[pending.group].undone;
                --states_[pending.group].open;
                ++undone_;
                output_error_ = error.root_cause().message;
                stop_now();
                return;
            }
            // The rank it was on: no end of its own, and not in the journal.
            record.run = run_;
            record.exit_code = 255;
            record.error = error.what();
            report(pending, record);
            settle(pending, record);
            return;
        }
        on_record(std::move(pending), std::move(record));
    }

    void on_record(Pending pending, Record record) {
        const bool earlier = record.run != run_;
        if (goes_on(pending, record)) {
            if (!earlier) {
                log(pending, record);
            }
            begin_again(pending, record);
            submit(std::move(pending));
            return;
        }
        if (earlier) {
            ++earlier_;
        } else {
            log(pending, record);
            report(pending, record);
        }
        settle(pending, record);
    }

    void log(const Pending& pending, const Record& record) {
        const std::string name = name_of(pending.group, pending.command);
        job_log_.add(name, pending.command, record);
        journal_log_.add(name, pending.command, record);
    }

    /// Prints what is to be printed of a command that has ended in this run.
    void report(const Pending& pending, const Record& record) {
        const std::string name = name_of(pending.group, pending.command);
        std::string failure;
        if (!record.ok() && ++failures_ <= failures_shown) {
            failure = fmt::format("muster sweep: command {} {}{}: {}\n",
                                  name,
                                  record.how(),
                                  record.host.empty()
                                      ? ""
                                      : fmt::format(" (rank {} on {})", record.rank, record.host),
                                  pending.command.shown());
            if (plan_.print != Print::grouped && !record.tail.empty()) {
                failure +=
                    tagged(record.tail.ends_with('\n') ? record.tail : record.tail + "\n", "   ");
            }
            if (failures_ == failures_shown) {
                failure += fmt::format(
                    "muster sweep: further failures are counted, and not shown{}\n",
                    plan_.journal.empty() ? "" : "; see: muster cat --failed " + plan_.journal);
            }
        }
        Text text{record.out, record.err};
        if (plan_.tags) {
            text = {tagged(text.out, name), tagged(text.err, name)};
        }
        text.err += failure;
        if (!plan_.keeps_order) {
            print(text);
            return;
        }
        held_.emplace(pending.sequence, std::move(text));
    }

    struct Text {
        std::string out;
        std::string err;
    };

    void print(const Text& text) {
        if (text.out.empty() && text.err.empty()) {
            return;
        }
        display_.clear();
        std::cerr << text.err << std::flush;
        std::cout << text.out << std::flush;
        if (!std::cout) {
            throw Error("standard output cannot be written");
        }
    }

    void settle(const Pending& pending, const Record& record) {
        GroupState& state = states_[pending.group];
        --state.open;
        state.failed += record.ok() ? 0U : 1U;
        tally_.add(record.ok());
        if (plan_.keeps_order) {
            settled_.insert(pending.sequence);
            while (!settled_.empty() && *settled_.begin() == printed_ + 1) {
                settled_.erase(settled_.begin());
                ++printed_;
                if (const auto text = held_.extract(printed_); !text.empty()) {
                    print(text.mapped());
                }
            }
        }
        const bool too_many = plan_.fails_max && tally_.failed() > *plan_.fails_max;
        const auto stops = too_many ? HaltRule::When::now : tally_.stops();
        if (stops == HaltRule::When::now) {
            stop_now();
        }
        stops_ = stops_ || stops != HaltRule::When::never;
    }

    void stop_now() {
        if (!std::exchange(stops_, true)) {
            running_.cancel_all();
        }
    }

    int finish() {
        display_.clear();
        for (const auto& [sequence, text] : held_) { // behind one that never ended
            print(text);
        }
        for (const std::string& name : skipped_) {
            fmt::print(stderr,
                       "muster sweep: group {} was left out: what it comes after did not succeed\n",
                       name);
        }
        if (!plan_.quiet) {
            std::string line = summary_line(standing());
            if (left_to_others_ > 0) {
                line += fmt::format("; {} are left to the jobs that run them",
                                    grouped_digits(left_to_others_));
            } else if (undone_ > 0) {
                line += fmt::format("; {} had begun or were waiting", grouped_digits(undone_));
            }
            if ((stops_ && left_to_others_ == 0) || muster::stopping()) {
                line += plan_.journal.empty() ? "; stopped before the end"
                                              : "; stopped before the end: --resume goes on";
            }
            fmt::print(stderr, "muster sweep: {}\n", line);
        }
        if (!output_error_.empty()) {
            throw Error(output_error_);
        }
        const bool wanted =
            plan_.halt.what == HaltRule::What::success && tally_.stops() != HaltRule::When::never;
        return (tally_.failed() > 0 && !wanted) || !skipped_.empty() ? 1 : 0;
    }

    Plan plan_;
    Tally tally_;
    std::uint64_t run_;
    std::string run_name_;
    ProgressDisplay display_;
    JobLog job_log_;
    JobLog journal_log_;
    SecondChances again_;
    Clock::time_point began_ = Clock::now();

    std::vector<GroupState> states_;
    std::map<std::string, std::size_t> by_name_;
    FutureSet<Record> running_;
    std::unordered_map<std::size_t, Pending> pending_; ///< By tag.
    std::size_t last_tag_ = 0;
    Occurrences occurrences_;
    std::uint64_t sequence_ = 0;
    std::uint64_t earlier_ = 0;
    std::uint64_t undone_ = 0;
    std::uint64_t failures_ = 0;
    std::string output_error_;
    bool stops_ = false;
    Clock::time_point idle_since_ = Clock::now();
    std::uint64_t left_to_others_ = 0;
    bool waits_for_input_ = false;
    std::vector<std::string> skipped_;

    std::map<std::uint64_t, Text> held_; ///< By sequence.
    std::set<std::uint64_t> settled_;
    std::uint64_t printed_ = 0;
};

/// A journal that a sweep has begun is not gone on with by mistake.
void claim_journal(const Plan& plan) {
    if (plan.journal.empty()) {
        return;
    }
    const fs::path mark = fs::path(plan.journal) / "sweep";
    if (fs::exists(mark) && !plan.resume && !plan.resume_failed) {
        throw UsageError(
            fmt::format("{} holds what a sweep has done: --resume goes on with it, --resume-failed "
                        "also repeats what failed; else name another folder",
                        plan.journal));
    }
    fs::create_directories(plan.journal);
    std::ofstream file(mark, std::ios::app);
    file << "";
    if (!file.flush()) {
        throw Error(fmt::format("{}: cannot be written", mark.string()));
    }
}

} // namespace

int run_sweep(Plan plan) {
    claim_journal(plan);
    return Driver(std::move(plan)).run();
}

int print_left(Plan plan) {
    plan.quiet = true;
    plan.resume = true;
    plan.counts_only = true;
    return Driver(std::move(plan)).print_left();
}

int print_commands(Plan plan) {
    for (Group& group : plan.groups) {
        std::uint64_t number = 0;
        while (const auto command = group.next(number + 1)) {
            ++number;
            std::cout << command->shown() << '\n';
        }
    }
    std::cout.flush();
    return std::cout ? 0 : 1;
}

} // namespace muster::launcher::sweep
