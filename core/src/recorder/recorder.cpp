#include "recorder/recorder.hpp"

#include <muster/base/log.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::recorder {
namespace {

using namespace std::chrono_literals;

constexpr auto life_interval = 10s;  // other nodes see a job as gone after minutes of silence
constexpr auto waits_interval = 10s; // between two lines about the jobs that are waited for
constexpr auto idle_wait_max = 10s;
constexpr std::size_t keys_per_lock = 1024;

} // namespace

Recorder::Recorder(Config config) : config_(std::move(config)), ledger_(config_.directory.host) {
}

Result<std::unique_ptr<Recorder>> Recorder::open(Config config) {
    std::unique_ptr<Recorder> recorder(new Recorder(std::move(config)));
    const auto& path = recorder->config_.directory.path;
    const auto begin = Clock::now();
    auto directory = Directory::open(recorder->config_.directory, recorder->ledger_);
    if (!directory) {
        return Failure{directory.error().code,
                       fmt::format("the journal {} (MUSTER_JOURNAL): {}",
                                   path.native(),
                                   directory.error().message)};
    }
    recorder->directory_ = std::move(*directory);
    const auto& contents = recorder->directory_->contents();
    log::info("journal",
              "opened path={} segments={} results={} damaged_bytes={} ms={}",
              path.native(),
              contents.segments,
              contents.results,
              contents.damaged_bytes,
              std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
    return recorder;
}

Recorder::~Recorder() {
    if (thread_.joinable()) {
        (void)close();
    }
}

void Recorder::start(Decide decide) {
    decide_ = std::move(decide);
    thread_ = std::thread([this] { work(); });
}

void Recorder::throw_if_failed() {
    const std::lock_guard lock(mutex_);
    if (failure_) {
        throw Error(failure_->message, failure_->code);
    }
}

std::vector<std::optional<Buffer>>
Recorder::find(std::span<const KeyDigest> keys, std::uint64_t shape, const std::string& what) {
    throw_if_failed();
    std::vector<std::optional<Buffer>> values(keys.size());
    std::vector<std::optional<Location>> places;
    for (std::size_t begin = 0; begin < keys.size(); begin += keys_per_lock) {
        const auto some = keys.subspan(begin, std::min(keys_per_lock, keys.size() - begin));
        places.clear();
        {
            const std::lock_guard lock(ledger_mutex_);
            for (const KeyDigest& key : some) {
                places.push_back(ledger_.find(key));
            }
        }
        for (std::size_t i = 0; i < some.size(); ++i) {
            if (!places[i]) {
                continue;
            }
            if (places[i]->shape != shape) {
                throw Error(
                    fmt::format("{}: the journal {} has its result as another type than the one it "
                                "returns now. Use another directory, or another key; the program "
                                "has changed in a way that MUSTER_PROGRAM_VERSION should tell",
                                what,
                                directory_->path().native()),
                    ErrorCode::usage);
            }
            values[begin + i] = directory_->read_value(some[i], *places[i]);
            if (!values[begin + i]) {
                const std::lock_guard lock(ledger_mutex_);
                ledger_.forget_result(some[i]);
            }
        }
    }
    return values;
}

std::pair<std::uint64_t, std::uint64_t> Recorder::under_way() {
    const std::lock_guard lock(ledger_mutex_);
    std::uint64_t elsewhere = 0;
    for (const auto& [job, keys] : ledger_.waited_for()) {
        elsewhere += keys;
    }
    return {ledger_.running(), elsewhere};
}

void Recorder::on_outcome(TaskId task, const KeyDigest& key, const wire::Outcome& outcome) {
    {
        const std::lock_guard lock(mutex_);
        intake_.emplace_back(Report{task, key, outcome});
        if (intake_.size() > 1) {
            return; // it has been woken
        }
    }
    wake_.notify_one();
}

bool Recorder::seal(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    const std::uint64_t wanted = ++seals_wanted_;
    wake_.notify_one();
    return sealed_.wait_for(lock, timeout, [&] { return seals_done_ >= wanted; }) && !failure_;
}

std::optional<Failure> Recorder::close() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
    return failure_;
}

Recorder::Clock::time_point Recorder::next_deadline() const {
    if (unfinished_) {
        return Clock::now();
    }
    auto deadline = std::min(Clock::now() + idle_wait_max, life_due_);
    if (sync_due_) {
        deadline = std::min(deadline, *sync_due_);
    }
    if (waits_since_) {
        deadline = std::min(deadline, look_due_);
    }
    return deadline;
}

void Recorder::work() {
    while (true) {
        std::vector<Word> intake;
        bool closing = false;
        std::uint64_t seals = 0;
        {
            std::unique_lock lock(mutex_);
            wake_.wait_until(lock, next_deadline(), [&] {
                return !intake_.empty() || closing_ || seals_wanted_ > seals_done_;
            });
            intake = std::exchange(intake_, {});
            closing = closing_;
            seals = seals_wanted_;
        }
        unfinished_ = false;
        take_in(intake);
        const auto now = Clock::now();
        std::unique_lock ledger(ledger_mutex_);
        auto entries = ledger_.take_entries();
        ledger.unlock();
        record(std::move(entries));

        ledger.lock();
        if (ledger_.has_unclaimed() && !closing) {
            window_.set_slots(slots_);
            const std::uint64_t room = window_.room(now, ledger_.running());
            const auto claimed = room > 0 ? directory_->claim(ledger_, ledger, room)
                                          : Result<std::monostate>(std::monostate{});
            if (!claimed) {
                ledger.unlock();
                fail(claimed.error());
                ledger.lock();
            }
            // What was put off because another job was first, or others' claims filled the batch.
            unfinished_ = ledger_.has_unclaimed() && ledger_.running() == 0;
        }
        if (!ledger_.waited_for().empty() && now >= look_due_) {
            directory_->look(now, ledger_);
            look_due_ = Clock::now() + config_.look_interval;
        }
        report_waiting(now);
        ledger.unlock();
        decide_all();

        const bool unsealed = seals > 0 && seals > seals_done_;
        if (sync_due_ && (now >= *sync_due_ || unsealed || closing)) {
            sync_now();
        }
        if (now >= life_due_) {
            directory_->show_life();
            life_due_ = now + life_interval;
        }
        if (unsealed) {
            const std::lock_guard lock(mutex_);
            seals_done_ = seals;
            sealed_.notify_all();
        }
        if (closing) {
            record({{journal::RecordKind::end, {}, 0, {}}});
            sync_now();
            return;
        }
    }
}

void Recorder::take_in(const std::vector<Word>& intake) {
    const std::lock_guard lock(ledger_mutex_);
    for (const auto& word : intake) {
        if (const auto* wants = std::get_if<Wants>(&word)) {
            for (const auto& wanted : wants->tasks) {
                ledger_.want(wanted.task, wanted.key, wants->shape);
            }
            continue;
        }
        const auto& report = std::get<Report>(word);
        const bool recordable = report.outcome.kind != wire::Outcome::Kind::value ||
                                is_recordable(report.outcome.value);
        ledger_.on_outcome(report.task, report.key, report.outcome, recordable);
    }
}

bool Recorder::is_recordable(const Buffer& value) {
    const bool names_objects = detail::names_objects(value.bytes(), config_.run_id);
    if (!names_objects && value.size() <= journal::value_bytes_max) {
        return true;
    }
    if (!std::exchange(warned_unrecordable_, true)) {
        log::warn("journal",
                  "not_recorded why=\"a result {}\"",
                  names_objects ? "contains futures or handles of actors, which do not outlive the "
                                  "run"
                                : "is larger than 4 GiB");
    }
    return false;
}

void Recorder::record(std::vector<journal::Ledger::Entry> entries) {
    {
        const std::lock_guard lock(mutex_);
        if (entries.empty() || failure_) {
            return;
        }
    }
    std::vector<std::pair<KeyDigest, Location>> places;
    const auto written =
        directory_->append(entries, [&](const KeyDigest& key, const Location& location) {
            places.emplace_back(key, location);
        });
    {
        const std::lock_guard lock(ledger_mutex_);
        for (const auto& [key, location] : places) {
            ledger_.on_recorded(key, location);
        }
    }
    if (!sync_due_) {
        sync_due_ = Clock::now() + config_.sync_interval;
    }
    if (!written) {
        fail(written.error());
    }
}

void Recorder::sync_now() {
    sync_due_.reset();
    if (const auto synced = directory_->sync(); !synced) {
        fail(synced.error());
    }
}

void Recorder::fail(const Failure& failure) {
    std::string message;
    {
        const std::lock_guard lock(mutex_);
        if (failure_) {
            return;
        }
        message = fmt::format(
            "the journal {} (MUSTER_JOURNAL): {}. {} results of this run are recorded, later ones "
            "are not: make room, and run the program again to go on from there",
            directory_->path().native(),
            failure.message,
            directory_->recorded());
        failure_ = Failure{ErrorCode::failed, message};
    }
    log::warn("journal", "gave_up why=\"{}\"", failure.message);
    const std::lock_guard lock(ledger_mutex_);
    ledger_.give_up(message);
}

std::optional<wire::Outcome> Recorder::read(const journal::Ledger::Decisions::Read& read) {
    wire::Outcome outcome;
    if (read.location.shape != read.wanted_shape) {
        wire::FailureRecord record;
        record.kind = wire::FailureRecord::Kind::system;
        record.message = "another job recorded its result as another type";
        record.task = read.task;
        record.rank = owner_of(read.task);
        record.host = config_.directory.host;
        outcome.kind = wire::Outcome::Kind::failed;
        outcome.failure.push_back(std::move(record));
        return outcome;
    }
    auto value = directory_->read_value(read.key, read.location);
    if (!value) {
        return std::nullopt;
    }
    outcome.value = std::move(*value);
    outcome.size = outcome.value.size();
    return outcome;
}

void Recorder::decide_all() {
    journal::Ledger::Decisions decisions;
    {
        const std::lock_guard lock(ledger_mutex_);
        decisions = ledger_.take_decisions();
    }
    if (decisions.empty()) {
        return;
    }
    auto& run = decisions.run;
    auto& done = decisions.outcomes;
    for (auto& [task, value] : decisions.values) {
        wire::Outcome outcome;
        outcome.size = value.size();
        outcome.value = std::move(value);
        done.emplace_back(task, std::move(outcome));
    }
    for (const auto& wanted : decisions.reads) {
        if (auto outcome = read(wanted)) {
            done.emplace_back(wanted.task, std::move(*outcome));
        } else {
            const std::lock_guard lock(ledger_mutex_);
            ledger_.forget_result(wanted.key);
            ledger_.want(wanted.task, wanted.key, wanted.wanted_shape);
            unfinished_ = true;
        }
    }
    decide_(std::move(run), std::move(done));
}

void Recorder::report_waiting(Clock::time_point now) {
    const auto& waited_for = ledger_.waited_for();
    if (waited_for.empty()) {
        waits_since_.reset();
        return;
    }
    if (!waits_since_) {
        waits_since_ = now;
        waits_report_due_ = now + waits_interval;
        look_due_ = now;
        return;
    }
    if (now < waits_report_due_) {
        return;
    }
    waits_report_due_ = now + waits_interval;
    for (const auto& [job, keys] : waited_for) {
        log::info("journal",
                  "waits seconds={} keys={} for=\"{}\"",
                  std::chrono::duration_cast<std::chrono::seconds>(now - *waits_since_).count(),
                  keys,
                  directory_->describe(job));
    }
}

} // namespace muster::recorder
