#pragma once

#include "journal/key_table.hpp"
#include "wire/messages.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace muster::journal {

/// Who computes which key: what this run wants, what jobs have recorded, and what they have
/// claimed.
///
/// A key that this run wants and that nobody has recorded is
///
///   unclaimed  and goes into this job's next claim batch;
///   claiming   in the batch that is being published;
///   elsewhere  claimed by another job that lives: its record is waited for;
///   running    ours: one of the tasks that want it runs, the others wait for what becomes of it;
///   recording  done, and on its way into this job's segment; or it cannot be recorded, and stays.
///
/// Of the claim batches with a key the latest counts: whoever published it had read all before it,
/// and found them void. A claim is void once its job has released it, has ended, or is gone. So two
/// jobs agree on who computes a key without ever asking each other; only batches must have one
/// order, which the directory gives them.
///
/// Pure: no files, threads, clock or randomness. Facts may come late and in any order between
/// segments and batches; batches themselves in theirs.
/// Threading: one thread at a time.
class Ledger {
public:
    explicit Ledger(std::string host = {}) : host_(std::move(host)) {}

    /// Known once the own segment is.
    void set_self(JobNumber self) { self_ = self; }

    // What the directory says.

    /// The first record of a key counts, whoever wrote it.
    void on_result(const KeyDigest& key, const Location& location);
    void on_released(const KeyDigest& key, BatchNumber batch);
    void on_claims(BatchNumber batch, const Claims& claims);
    /// It has ended, or is gone: it will record nothing any more.
    void on_job_ended(JobNumber job);
    /// The record that was said to be there cannot be read.
    void forget_result(const KeyDigest& key);

    /// Where the key's result lies, if it is recorded.
    [[nodiscard]] std::optional<Location> find(const KeyDigest& key) const;

    // What this run does.

    /// A withheld task waits for the key's result, or for the order to compute it.
    void want(TaskId task, const KeyDigest& key, std::uint64_t shape);

    /// A task that wanted the key is done, by a decision of this ledger or otherwise.
    /// @param recordable  False: its value is of use in this run only.
    void on_outcome(TaskId task,
                    const KeyDigest& key,
                    const wire::Outcome& outcome,
                    bool recordable = true);

    /// The result is in the own segment.
    void on_recorded(const KeyDigest& key, const Location& location);

    /// Nothing can be recorded or claimed any more: what waits for that fails with `why`.
    void give_up(const std::string& why);

    /// Keys for the next claim batch, to be called with all published batches read. Then one of:
    [[nodiscard]] std::vector<KeyDigest> next_claims(std::size_t keys_max);
    /// They are published: their tasks run.
    void on_claimed(BatchNumber batch, std::span<const KeyDigest> keys);
    /// Another job published its batch first.
    void on_claim_lost(std::span<const KeyDigest> keys);

    // What follows from it, since the last call.

    /// Tasks to be released from waiting, each once.
    struct Decisions {
        std::vector<TaskId> run;
        std::vector<std::pair<TaskId, Buffer>> values;

        /// Its value is to be read there; `wanted_shape` is what the task's result has.
        struct Read {
            TaskId task{};
            KeyDigest key;
            Location location;
            std::uint64_t wanted_shape = 0;
        };

        std::vector<Read> reads;
        std::vector<std::pair<TaskId, wire::Outcome>> outcomes; ///< As another task of the key.

        [[nodiscard]] bool empty() const {
            return run.empty() && values.empty() && reads.empty() && outcomes.empty();
        }
    };

    [[nodiscard]] Decisions take_decisions() { return std::exchange(decisions_, {}); }

    /// To be appended to the own segment, in order.
    struct Entry {
        RecordKind kind{};
        KeyDigest key;
        std::uint64_t extra = 0;
        Buffer value;
    };

    [[nodiscard]] std::vector<Entry> take_entries() { return std::exchange(entries_, {}); }

    /// Keys that other jobs compute and this run waits for, by job.
    [[nodiscard]] const std::map<JobNumber, std::uint64_t>& waited_for() const {
        return waited_for_;
    }

    /// Keys of which a task of this run runs, or is about to.
    [[nodiscard]] std::uint64_t running() const { return running_; }

    [[nodiscard]] bool has_entries() const { return !entries_.empty(); }

    [[nodiscard]] bool has_unclaimed() const { return !unclaimed_.empty(); }

    [[nodiscard]] bool has_decisions() const { return !decisions_.empty(); }

    void check_invariants() const;

private:
    enum class State : std::uint8_t { unclaimed, claiming, elsewhere, running, recording };

    /// A key that this run wants.
    struct Wanted {
        State state = State::unclaimed;
        TaskId runner{};      ///< While running.
        JobNumber claimant{}; ///< While elsewhere.
        std::uint64_t shape = 0;
        std::vector<TaskId> waiting;
        Buffer value; ///< While recording.
    };

    using Position = KeyTable::Position;

    [[nodiscard]] Wanted& wanted_of(const KeyEntry& entry) { return wanted_[entry.wanted - 1]; }

    [[nodiscard]] JobNumber claimant(const KeyEntry& entry) const;
    [[nodiscard]] wire::Outcome failed(TaskId task, const std::string& why) const;
    void leave_elsewhere(Wanted& wanted);
    void claim_again(Position position);
    void drop(KeyEntry& entry);
    void release(KeyEntry& entry);
    void read_for_all(KeyEntry& entry);

    std::string host_;
    JobNumber self_ = 0;
    std::optional<std::string> given_up_;
    KeyTable table_;
    std::vector<JobNumber> job_of_batch_; ///< By batch number, from 1.
    std::set<JobNumber> ended_;
    std::vector<Wanted> wanted_;
    std::vector<std::uint32_t> unused_; ///< Positions in wanted_.
    std::vector<Position> unclaimed_;   ///< May have stale ones.
    std::map<JobNumber, std::uint64_t> waited_for_;
    std::uint64_t running_ = 0;
    Decisions decisions_;
    std::vector<Entry> entries_;
};

} // namespace muster::journal
