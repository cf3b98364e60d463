#pragma once

#include "journal/claim_window.hpp"
#include "journal/ledger.hpp"
#include "recorder/directory.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace muster::recorder {

/// The journal of one run: the ledger and its directory, joined by a thread of their own, so that
/// nobody but that thread waits for the disk. Only the driver's rank has one.
///
/// What is recorded reaches the file at once, in batches of whatever has gathered meanwhile, and
/// stable storage at most `sync_interval` later: a crash of the process loses what was reported in
/// the last instant, one of the machine at most that interval.
///
/// When a file cannot be written the journal gives up: find() throws from then on, tasks that wait
/// for a claim fail, those that run go on, and close() returns the reason. What was recorded stays.
class Recorder {
public:
    struct Config {
        Directory::Config directory;
        /// Of this run; a value that contains it names objects of the run, and is not recorded.
        std::uint64_t run_id = 0;
        std::chrono::nanoseconds sync_interval = std::chrono::seconds{1};
        std::chrono::nanoseconds look_interval = std::chrono::milliseconds{20}; ///< At others.
    };

    /// Tasks that wait no more: those to be run, and those that are done without.
    using Decide = std::function<void(std::vector<TaskId> run,
                                      std::vector<std::pair<TaskId, wire::Outcome>> done)>;

    struct Wanted {
        TaskId task{};
        KeyDigest key;
    };

    /// Reads the whole directory. @return a Failure that names it, as Directory::open.
    [[nodiscard]] static Result<std::unique_ptr<Recorder>> open(Config config);

    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    ~Recorder();

    /// Starts the thread. `decide` is called from it, until close().
    void start(Decide decide);

    /// How many tasks the run executes at once, about: so many are claimed ahead. Any thread.
    void set_slots(std::uint64_t slots) { slots_ = slots; }

    /// The recorded values of keys, by position. Any thread; may wait for the disk.
    /// @param shape  Of the result's type.
    /// @param what   "task train", for errors.
    /// @throws Error (usage) if a result is recorded as another type; Error (failed) once the
    ///         journal cannot be written.
    [[nodiscard]] std::vector<std::optional<Buffer>>
    find(std::span<const KeyDigest> keys, std::uint64_t shape, const std::string& what);

    /// @throws Error once the journal cannot be written.
    void throw_if_failed();

    /// Tasks to be decided on. `submit` hands them to the run as withheld; it is called before
    /// anything is decided about them. Any thread.
    template <class Submit>
    void want(std::vector<Wanted> tasks, std::uint64_t shape, Submit&& submit) {
        {
            const std::lock_guard lock(mutex_);
            submit();
            intake_.emplace_back(Wants{std::move(tasks), shape});
        }
        wake_.notify_one();
    }

    /// Keys that this run computes, and keys that others compute and this run waits for. Any
    /// thread.
    [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> under_way();

    /// How a task of want() ended; a value must be here in full. Never waits for the disk.
    void on_outcome(TaskId task, const KeyDigest& key, const wire::Outcome& outcome);

    /// Waits until everything reported so far is on stable storage.
    /// @return false if it is not: after `timeout`, or because the journal cannot be written.
    bool seal(std::chrono::nanoseconds timeout);

    /// Seals, says that this job has ended, and ends the thread. Nothing may be called afterwards.
    /// @return why something could not be recorded, if so.
    std::optional<Failure> close();

private:
    struct Wants {
        std::vector<Wanted> tasks;
        std::uint64_t shape = 0;
    };

    struct Report {
        TaskId task{};
        KeyDigest key;
        wire::Outcome outcome;
    };

    /// What this run says, in its order: a key that is wanted once the driver has heard of its
    /// failure is wanted anew.
    using Word = std::variant<Wants, Report>;

    using Clock = std::chrono::steady_clock;

    explicit Recorder(Config config);

    void work();
    void take_in(const std::vector<Word>& intake);
    void record(std::vector<journal::Ledger::Entry> entries);
    void sync_now();
    void decide_all();
    [[nodiscard]] std::optional<wire::Outcome> read(const journal::Ledger::Decisions::Read& read);
    [[nodiscard]] bool is_recordable(const Buffer& value);
    void fail(const Failure& failure);
    void report_waiting(Clock::time_point now);
    [[nodiscard]] Clock::time_point next_deadline() const;

    Config config_;
    std::unique_ptr<Directory> directory_;
    Decide decide_;

    std::mutex mutex_; ///< Guards what follows; never held while files are read or written.
    std::condition_variable wake_;
    std::condition_variable sealed_;
    std::vector<Word> intake_;
    std::uint64_t seals_wanted_ = 0;
    std::uint64_t seals_done_ = 0;
    bool closing_ = false;
    std::optional<Failure> failure_;

    std::mutex ledger_mutex_; ///< Guards ledger_. Taken alone.
    journal::Ledger ledger_;

    std::atomic<std::uint64_t> slots_{1};

    // The thread's own.
    journal::ClaimWindow window_;
    std::optional<Clock::time_point> sync_due_;
    Clock::time_point look_due_{};
    Clock::time_point life_due_{};
    std::optional<Clock::time_point> waits_since_;
    Clock::time_point waits_report_due_{};
    bool warned_unrecordable_ = false;
    bool unfinished_ = false; ///< There is more to do without anybody's word.

    std::thread thread_;
};

} // namespace muster::recorder
