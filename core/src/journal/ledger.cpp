#include "journal/ledger.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>

namespace muster::journal {
namespace {

bool is_cancelled(const wire::Outcome& outcome) {
    return outcome.kind == wire::Outcome::Kind::failed && !outcome.failure.empty() &&
           outcome.failure.front().kind == wire::FailureRecord::Kind::cancelled;
}

} // namespace

JobNumber Ledger::claimant(const KeyEntry& entry) const {
    if (entry.claimed <= entry.released) {
        return 0;
    }
    const JobNumber job = job_of_batch_[entry.claimed - 1];
    return ended_.contains(job) ? 0 : job;
}

wire::Outcome Ledger::failed(TaskId task, const std::string& why) const {
    wire::FailureRecord record;
    record.kind = wire::FailureRecord::Kind::system;
    record.message = why;
    record.task = task;
    record.rank = owner_of(task);
    record.host = host_;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.push_back(std::move(record));
    return outcome;
}

void Ledger::leave_elsewhere(Wanted& wanted) {
    if (wanted.state == State::elsewhere) {
        if (--waited_for_.at(wanted.claimant) == 0) {
            waited_for_.erase(wanted.claimant);
        }
    }
}

void Ledger::drop(KeyEntry& entry) {
    Wanted& wanted = wanted_of(entry);
    leave_elsewhere(wanted);
    running_ -= wanted.state == State::running ? 1 : 0;
    wanted = {};
    unused_.push_back(entry.wanted - 1);
    entry.wanted = 0;
}

void Ledger::claim_again(Position position) {
    Wanted& wanted = wanted_of(table_.at(position));
    leave_elsewhere(wanted);
    wanted.state = State::unclaimed;
    unclaimed_.push_back(position);
}

void Ledger::release(KeyEntry& entry) {
    entry.released = std::max(entry.released, entry.claimed);
    if (!given_up_) {
        entries_.push_back({RecordKind::released, entry.key, entry.claimed, {}});
    }
}

void Ledger::read_for_all(KeyEntry& entry) {
    Wanted& wanted = wanted_of(entry);
    for (const TaskId task : wanted.waiting) {
        decisions_.reads.push_back({task, entry.key, entry.recorded, wanted.shape});
    }
    drop(entry);
}

void Ledger::on_result(const KeyDigest& key, const Location& location) {
    KeyEntry& entry = table_.at(table_.insert(key));
    if (entry.recorded.segment != 0) {
        return;
    }
    entry.recorded = location;
    if (entry.wanted != 0) {
        const State state = wanted_of(entry).state;
        if (state != State::running && state != State::recording) {
            read_for_all(entry);
        }
    }
}

void Ledger::forget_result(const KeyDigest& key) {
    table_.at(table_.insert(key)).recorded = {};
}

void Ledger::on_released(const KeyDigest& key, BatchNumber batch) {
    const Position position = table_.insert(key);
    KeyEntry& entry = table_.at(position);
    entry.released = std::max(entry.released, batch);
    if (entry.wanted != 0 && wanted_of(entry).state == State::elsewhere && claimant(entry) == 0) {
        claim_again(position);
    }
}

void Ledger::on_claims(BatchNumber batch, const Claims& claims) {
    if (job_of_batch_.size() < batch) {
        job_of_batch_.resize(batch);
    }
    job_of_batch_[batch - 1] = claims.job;
    for (const KeyDigest& key : claims.keys) {
        const Position position = table_.insert(key);
        KeyEntry& entry = table_.at(position);
        entry.claimed = std::max(entry.claimed, batch);
        if (entry.wanted == 0) {
            continue;
        }
        Wanted& wanted = wanted_of(entry);
        if (wanted.state == State::elsewhere) {
            // Its claimant is another now, or has claimed it again.
            claim_again(position);
        }
    }
}

void Ledger::on_job_ended(JobNumber job) {
    if (!ended_.insert(job).second || !waited_for_.contains(job)) {
        return;
    }
    for (Position position = 0; position < table_.size(); ++position) {
        const KeyEntry& entry = table_.at(position);
        if (entry.wanted != 0 && wanted_of(entry).state == State::elsewhere &&
            wanted_of(entry).claimant == job) {
            claim_again(position);
        }
    }
}

std::optional<Location> Ledger::find(const KeyDigest& key) const {
    const KeyEntry* entry = table_.find(key);
    return entry != nullptr && entry->recorded.segment != 0 ? std::optional(entry->recorded)
                                                            : std::nullopt;
}

void Ledger::want(TaskId task, const KeyDigest& key, std::uint64_t shape) {
    const Position position = table_.insert(key);
    KeyEntry& entry = table_.at(position);
    if (entry.wanted != 0) {
        Wanted& wanted = wanted_of(entry);
        if (wanted.shape != shape) {
            decisions_.outcomes.emplace_back(
                task,
                failed(task,
                       "another task of this run has the same key, and a result of another type: "
                       "give each its own key"));
        } else if (wanted.state == State::recording) {
            decisions_.values.emplace_back(task, wanted.value);
        } else {
            wanted.waiting.push_back(task);
        }
        return;
    }
    if (entry.recorded.segment != 0) {
        decisions_.reads.push_back({task, key, entry.recorded, shape});
        return;
    }
    if (given_up_) {
        decisions_.outcomes.emplace_back(task, failed(task, *given_up_));
        return;
    }
    if (unused_.empty()) {
        unused_.push_back(static_cast<std::uint32_t>(wanted_.size()));
        wanted_.emplace_back();
    }
    entry.wanted = unused_.back() + 1;
    unused_.pop_back();
    Wanted& wanted = wanted_of(entry);
    wanted.shape = shape;
    wanted.waiting.push_back(task);
    unclaimed_.push_back(position);
}

std::vector<KeyDigest> Ledger::next_claims(std::size_t keys_max) {
    std::vector<KeyDigest> keys;
    std::size_t taken = 0;
    for (; taken < unclaimed_.size() && keys.size() < keys_max; ++taken) {
        KeyEntry& entry = table_.at(unclaimed_[taken]);
        if (entry.wanted == 0 || wanted_of(entry).state != State::unclaimed) {
            continue; // cancelled meanwhile, or listed twice
        }
        Wanted& wanted = wanted_of(entry);
        const JobNumber job = claimant(entry);
        if (job != 0 && job != self_) {
            wanted.state = State::elsewhere;
            wanted.claimant = job;
            ++waited_for_[job];
            continue;
        }
        wanted.state = State::claiming;
        keys.push_back(entry.key);
    }
    unclaimed_.erase(unclaimed_.begin(), unclaimed_.begin() + static_cast<std::ptrdiff_t>(taken));
    return keys;
}

void Ledger::on_claim_lost(std::span<const KeyDigest> keys) {
    for (const KeyDigest& key : keys) {
        const Position position = table_.insert(key);
        if (const KeyEntry& entry = table_.at(position);
            entry.wanted != 0 && wanted_of(entry).state == State::claiming) {
            claim_again(position);
        }
    }
}

void Ledger::on_claimed(BatchNumber batch, std::span<const KeyDigest> keys) {
    on_claims(batch, {self_, std::vector<KeyDigest>(keys.begin(), keys.end())});
    for (const KeyDigest& key : keys) {
        KeyEntry& entry = table_.at(table_.insert(key));
        if (entry.wanted == 0) {
            release(entry); // cancelled while it was being published
            continue;
        }
        Wanted& wanted = wanted_of(entry);
        MUSTER_ASSERT(wanted.state == State::claiming || wanted.state == State::unclaimed);
        MUSTER_ASSERT(!wanted.waiting.empty());
        wanted.state = State::running;
        ++running_;
        wanted.runner = wanted.waiting.front();
        wanted.waiting.erase(wanted.waiting.begin());
        decisions_.run.push_back(wanted.runner);
    }
}

void Ledger::on_outcome(TaskId task,
                        const KeyDigest& key,
                        const wire::Outcome& outcome,
                        bool recordable) {
    const KeyEntry* found = table_.find(key);
    if (found == nullptr || found->wanted == 0) {
        return;
    }
    KeyEntry& entry = table_.at(table_.insert(key));
    Wanted& wanted = wanted_of(entry);
    if (wanted.state != State::running || wanted.runner != task) {
        // It waited, and was cancelled, or an argument of its failed.
        std::erase(wanted.waiting, task);
        if (wanted.waiting.empty() && wanted.state != State::running &&
            wanted.state != State::recording) {
            drop(entry);
        }
        return;
    }
    if (outcome.kind == wire::Outcome::Kind::value) {
        for (const TaskId other : wanted.waiting) {
            decisions_.values.emplace_back(other, outcome.value);
        }
        wanted.waiting.clear();
        if (entry.recorded.segment != 0) {
            drop(entry); // another job took this one for gone, and was first
            return;
        }
        wanted.state = State::recording;
        --running_;
        wanted.value = outcome.value;
        if (given_up_) {
            return;
        }
        if (recordable) {
            entries_.push_back({RecordKind::result, key, wanted.shape, outcome.value});
        } else {
            release(entry);
        }
        return;
    }
    if (is_cancelled(outcome) && !wanted.waiting.empty()) {
        // Others still want it.
        wanted.runner = wanted.waiting.front();
        wanted.waiting.erase(wanted.waiting.begin());
        decisions_.run.push_back(wanted.runner);
        return;
    }
    for (const TaskId other : wanted.waiting) {
        decisions_.outcomes.emplace_back(other, outcome);
    }
    release(entry);
    drop(entry);
}

void Ledger::on_recorded(const KeyDigest& key, const Location& location) {
    KeyEntry& entry = table_.at(table_.insert(key));
    if (entry.recorded.segment == 0) {
        entry.recorded = location;
    }
    if (entry.wanted != 0 && wanted_of(entry).state == State::recording) {
        drop(entry);
    }
}

void Ledger::give_up(const std::string& why) {
    given_up_ = why;
    entries_.clear();
    unclaimed_.clear();
    for (Position position = 0; position < table_.size(); ++position) {
        KeyEntry& entry = table_.at(position);
        if (entry.wanted == 0) {
            continue;
        }
        Wanted& wanted = wanted_of(entry);
        if (wanted.state != State::running && wanted.state != State::recording) {
            for (const TaskId task : wanted.waiting) {
                decisions_.outcomes.emplace_back(task, failed(task, why));
            }
            drop(entry);
        }
        // What runs may end, and what is done stays in memory for those who ask again.
    }
}

void Ledger::check_invariants() const {
    std::map<JobNumber, std::uint64_t> waited_for;
    std::size_t used = 0;
    std::uint64_t running = 0;
    auto& table = const_cast<KeyTable&>(table_);
    for (Position position = 0; position < table.size(); ++position) {
        const KeyEntry& entry = table.at(position);
        if (entry.wanted == 0) {
            continue;
        }
        ++used;
        const Wanted& wanted = wanted_[entry.wanted - 1];
        switch (wanted.state) {
        case State::unclaimed:
            MUSTER_ASSERT(!wanted.waiting.empty());
            MUSTER_ASSERT(std::count(unclaimed_.begin(), unclaimed_.end(), position) > 0);
            break;
        case State::claiming:
            MUSTER_ASSERT(!wanted.waiting.empty());
            break;
        case State::elsewhere:
            MUSTER_ASSERT(!wanted.waiting.empty() && !ended_.contains(wanted.claimant));
            ++waited_for[wanted.claimant];
            break;
        case State::running:
            ++running;
            break;
        case State::recording:
            break;
        }
    }
    MUSTER_ASSERT(waited_for == waited_for_ && running == running_);
    MUSTER_ASSERT(used + unused_.size() == wanted_.size());
}

} // namespace muster::journal
