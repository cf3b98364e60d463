#include "journal/ledger.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

namespace muster::journal {
namespace {

constexpr std::uint64_t shape = 77;

TaskId task(std::uint64_t number) {
    return make_object_id(Rank{0}, number);
}

KeyDigest key(std::uint64_t number) {
    return {number, number};
}

Location place(JobNumber segment) {
    return {segment, 100, 4, shape};
}

wire::Outcome value(int number) {
    wire::Outcome outcome;
    outcome.value = to_buffer(number);
    return outcome;
}

wire::Outcome failed(wire::FailureRecord::Kind kind) {
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    auto& record = outcome.failure.emplace_back();
    record.kind = kind;
    record.message = "no luck";
    return outcome;
}

/// A ledger of job 1, whose claims are published as soon as it wants to.
struct Alone {
    Alone() { ledger.set_self(1); }

    Ledger::Decisions claim() {
        const auto keys = ledger.next_claims(100);
        if (!keys.empty()) {
            ledger.on_claimed(++batch, keys);
        }
        ledger.check_invariants();
        return ledger.take_decisions();
    }

    Ledger ledger;
    BatchNumber batch = 0;
};

TEST(Ledger, AWantedKeyIsClaimedThenRunThenRecorded) {
    Alone job;
    job.ledger.want(task(1), key(5), shape);
    EXPECT_FALSE(job.ledger.has_decisions());
    EXPECT_TRUE(job.ledger.has_unclaimed());
    EXPECT_EQ(job.claim().run, std::vector{task(1)});

    job.ledger.on_outcome(task(1), key(5), value(9));
    const auto entries = job.ledger.take_entries();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].kind, RecordKind::result);
    EXPECT_EQ(entries[0].key, key(5));
    EXPECT_EQ(entries[0].extra, shape);
    EXPECT_EQ(entries[0].value, to_buffer(9));
    EXPECT_FALSE(job.ledger.find(key(5)));
    job.ledger.on_recorded(key(5), place(1));
    ASSERT_TRUE(job.ledger.find(key(5)));
    EXPECT_EQ(job.ledger.find(key(5))->segment, 1U);
    EXPECT_TRUE(job.claim().empty());
}

TEST(Ledger, TasksWithOneKeyAreOnePieceOfWork) {
    Alone job;
    for (std::uint64_t i = 1; i <= 3; ++i) {
        job.ledger.want(task(i), key(5), shape);
    }
    EXPECT_EQ(job.claim().run, std::vector{task(1)});
    job.ledger.want(task(4), key(5), shape);
    EXPECT_TRUE(job.claim().empty());
    job.ledger.on_outcome(task(1), key(5), value(9));
    const auto decided = job.ledger.take_decisions();
    ASSERT_EQ(decided.values.size(), 3U);
    EXPECT_EQ(decided.values[2].first, task(4));
    EXPECT_EQ(decided.values[2].second, to_buffer(9));
    // Until it is in the file it is given out of memory, later out of the file.
    job.ledger.want(task(5), key(5), shape);
    EXPECT_EQ(job.ledger.take_decisions().values.size(), 1U);
    job.ledger.on_recorded(key(5), place(1));
    job.ledger.want(task(6), key(5), shape);
    EXPECT_EQ(job.ledger.take_decisions().reads.size(), 1U);
    EXPECT_EQ(job.ledger.take_entries().size(), 1U);
}

TEST(Ledger, AFailureIsNotRecordedAndSharedByThoseWhoWait) {
    Alone job;
    job.ledger.want(task(1), key(5), shape);
    job.ledger.want(task(2), key(5), shape);
    (void)job.claim();
    job.ledger.on_outcome(task(1), key(5), failed(wire::FailureRecord::Kind::exception));
    const auto decided = job.ledger.take_decisions();
    ASSERT_EQ(decided.outcomes.size(), 1U);
    EXPECT_EQ(decided.outcomes[0].first, task(2));
    EXPECT_EQ(decided.outcomes[0].second.failure[0].message, "no luck");
    const auto entries = job.ledger.take_entries();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].kind, RecordKind::released);
    EXPECT_EQ(entries[0].extra, 1U);
    // Whoever asks again has it computed again.
    job.ledger.want(task(3), key(5), shape);
    EXPECT_EQ(job.claim().run, std::vector{task(3)});
}

TEST(Ledger, WhenTheRunnerIsCancelledTheNextRuns) {
    Alone job;
    job.ledger.want(task(1), key(5), shape);
    job.ledger.want(task(2), key(5), shape);
    (void)job.claim();
    job.ledger.on_outcome(task(1), key(5), failed(wire::FailureRecord::Kind::cancelled));
    EXPECT_EQ(job.ledger.take_decisions().run, std::vector{task(2)});
    EXPECT_FALSE(job.ledger.has_entries());
}

TEST(Ledger, ACancelledTaskIsNotClaimed) {
    Alone job;
    job.ledger.want(task(1), key(5), shape);
    job.ledger.on_outcome(task(1), key(5), failed(wire::FailureRecord::Kind::cancelled));
    EXPECT_TRUE(job.ledger.next_claims(10).empty());
    // Cancelled while its claim was being published: the claim is released.
    job.ledger.want(task(2), key(6), shape);
    const auto keys = job.ledger.next_claims(10);
    job.ledger.on_outcome(task(2), key(6), failed(wire::FailureRecord::Kind::cancelled));
    job.ledger.on_claimed(1, keys);
    EXPECT_TRUE(job.ledger.take_decisions().empty());
    EXPECT_EQ(job.ledger.take_entries().at(0).kind, RecordKind::released);
    job.ledger.check_invariants();
}

TEST(Ledger, WaitsForWhatAnotherJobHasClaimed) {
    Alone job;
    job.ledger.on_claims(++job.batch, {2, {key(5), key(6)}});
    job.ledger.want(task(1), key(5), shape);
    job.ledger.want(task(2), key(7), shape);
    EXPECT_EQ(job.claim().run, std::vector{task(2)});
    EXPECT_EQ(job.ledger.waited_for(), (std::map<JobNumber, std::uint64_t>{{2, 1}}));
    job.ledger.on_result(key(5), place(2));
    const auto decided = job.ledger.take_decisions();
    ASSERT_EQ(decided.reads.size(), 1U);
    EXPECT_EQ(decided.reads[0].task, task(1));
    EXPECT_EQ(decided.reads[0].location.segment, 2U);
    EXPECT_TRUE(job.ledger.waited_for().empty());
    job.ledger.check_invariants();
}

TEST(Ledger, TakesOverWhatAJobThatIsGoneHadClaimed) {
    Alone job;
    job.ledger.on_claims(++job.batch, {2, {key(5), key(6)}});
    job.ledger.want(task(1), key(5), shape);
    EXPECT_TRUE(job.claim().empty());
    job.ledger.on_job_ended(2);
    EXPECT_EQ(job.claim().run, std::vector{task(1)});
    job.ledger.want(task(2), key(6), shape);
    EXPECT_EQ(job.claim().run, std::vector{task(2)});
}

TEST(Ledger, TakesOverWhatAnotherJobReleased) {
    for (const bool release_is_read_first : {false, true}) {
        Alone job;
        if (release_is_read_first) {
            job.ledger.on_released(key(5), 1);
        }
        job.ledger.on_claims(++job.batch, {2, {key(5)}});
        job.ledger.want(task(1), key(5), shape);
        if (!release_is_read_first) {
            EXPECT_TRUE(job.claim().empty());
            job.ledger.on_released(key(5), 1);
        }
        EXPECT_EQ(job.claim().run, std::vector{task(1)});
    }
}

TEST(Ledger, AnotherJobsBatchThatCameFirstCounts) {
    Alone job;
    job.ledger.want(task(1), key(5), shape);
    job.ledger.want(task(2), key(6), shape);
    const auto keys = job.ledger.next_claims(10);
    EXPECT_EQ(keys.size(), 2U);
    job.ledger.on_claim_lost(keys);
    job.ledger.on_claims(++job.batch, {2, {key(6)}});
    EXPECT_EQ(job.claim().run, std::vector{task(1)});
    EXPECT_EQ(job.ledger.waited_for().at(2), 1U);
}

TEST(Ledger, AReleaseDoesNotConcernALaterClaim) {
    Alone job;
    job.ledger.on_claims(++job.batch, {2, {key(5)}});
    job.ledger.on_claims(++job.batch, {3, {key(5)}});
    job.ledger.on_released(key(5), 1);
    job.ledger.want(task(1), key(5), shape);
    EXPECT_TRUE(job.claim().empty());
    EXPECT_EQ(job.ledger.waited_for().at(3), 1U);
}

TEST(Ledger, AResultThatCannotBeReadIsComputedAgain) {
    Alone job;
    job.ledger.on_result(key(5), place(2));
    job.ledger.want(task(1), key(5), shape);
    EXPECT_EQ(job.ledger.take_decisions().reads.size(), 1U);
    job.ledger.forget_result(key(5));
    job.ledger.want(task(1), key(5), shape);
    EXPECT_EQ(job.claim().run, std::vector{task(1)});
}

TEST(Ledger, AValueOfThisRunOnlyIsSharedButNotRecorded) {
    Alone job;
    job.ledger.want(task(1), key(5), shape);
    (void)job.claim();
    job.ledger.on_outcome(task(1), key(5), value(3), false);
    EXPECT_EQ(job.ledger.take_entries().at(0).kind, RecordKind::released);
    job.ledger.want(task(2), key(5), shape);
    EXPECT_EQ(job.ledger.take_decisions().values.size(), 1U);
}

TEST(Ledger, ATaskOfAnotherTypeWithTheSameKeyFails) {
    Alone job;
    job.ledger.want(task(1), key(5), shape);
    job.ledger.want(task(2), key(5), shape + 1);
    EXPECT_EQ(job.ledger.take_decisions().outcomes.at(0).first, task(2));
}

TEST(Ledger, HavingGivenUpItFailsWhatWaitsAndLetsTheRestEnd) {
    Alone job;
    job.ledger.want(task(1), key(1), shape);
    (void)job.claim();
    job.ledger.on_claims(++job.batch, {2, {key(2)}});
    job.ledger.want(task(2), key(2), shape);
    (void)job.claim();
    job.ledger.want(task(3), key(3), shape);
    job.ledger.want(task(4), key(1), shape);
    job.ledger.give_up("the disk is full");
    auto decided = job.ledger.take_decisions();
    ASSERT_EQ(decided.outcomes.size(), 2U);
    for (const auto& [failed_task, outcome] : decided.outcomes) {
        EXPECT_TRUE(failed_task == task(2) || failed_task == task(3));
        EXPECT_EQ(outcome.failure[0].message, "the disk is full");
    }
    job.ledger.on_outcome(task(1), key(1), value(8));
    EXPECT_EQ(job.ledger.take_decisions().values.at(0).first, task(4));
    job.ledger.want(task(5), key(5), shape);
    EXPECT_EQ(job.ledger.take_decisions().outcomes.size(), 1U);
    EXPECT_FALSE(job.ledger.has_entries());
    job.ledger.check_invariants();
}

/// Jobs at random on one directory, which is what they have published in order.
class Study {
public:
    static constexpr std::uint64_t keys = 40;

    explicit Study(std::uint64_t seed) : random_(seed) {}

    void run() {
        for (int i = 0; i < 3; ++i) {
            start();
        }
        for (int step = 0; step < 4'000; ++step) {
            const auto which = random_.below(jobs_.size());
            if (auto& job = *jobs_[which]; !job.gone) {
                act(job);
            }
            if (step < 3'000 && random_.below(200) == 0) {
                kill(*jobs_[which]);
                start();
            }
        }
        // The faults are over: everybody who is left gets everything.
        for (int round = 0; round < 1'000; ++round) {
            for (auto& job : jobs_) {
                if (!job->gone) {
                    look(*job);
                    claim(*job);
                    finish(*job, true);
                    settle(*job);
                }
            }
        }
        for (const auto& job : jobs_) {
            EXPECT_TRUE(job->gone || job->got == job->wanted) << job->number;
        }
        EXPECT_GT(computed_, 0);
        EXPECT_EQ(computed_twice_, 0);
    }

private:
    struct Published {
        JobNumber job;
        RecordKind kind;
        KeyDigest key;
        std::uint64_t extra;
    };

    struct Job {
        JobNumber number = 0;
        Ledger ledger;
        bool gone = false;
        std::size_t batches_read = 0;
        std::size_t records_read = 0;
        std::uint64_t wanted = 0;
        std::uint64_t got = 0;
        std::map<TaskId, KeyDigest> key_of;
        std::deque<TaskId> running;
    };

    void start() {
        jobs_.push_back(std::make_unique<Job>());
        jobs_.back()->number = static_cast<JobNumber>(jobs_.size());
        jobs_.back()->ledger.set_self(jobs_.back()->number);
        look(*jobs_.back());
    }

    void kill(Job& job) {
        if (!job.gone) {
            job.gone = true;
            gone_.push_back(job.number);
        }
    }

    void act(Job& job) {
        switch (random_.below(5)) {
        case 0: {
            const TaskId id = task(++last_task_);
            job.key_of[id] = key(random_.below(keys));
            ++job.wanted;
            job.ledger.want(id, job.key_of[id], shape);
            break;
        }
        case 1:
            look(job);
            break;
        case 2:
            claim(job);
            break;
        case 3:
            finish(job, random_.below(8) > 0);
            break;
        default:
            break;
        }
        settle(job);
        job.ledger.check_invariants();
    }

    void look(Job& job) {
        for (; job.records_read < records_.size(); ++job.records_read) {
            const auto& record = records_[job.records_read];
            if (record.job == job.number) {
                continue;
            }
            if (record.kind == RecordKind::result) {
                job.ledger.on_result(record.key, place(record.job));
            } else {
                job.ledger.on_released(record.key, static_cast<BatchNumber>(record.extra));
            }
        }
        for (const JobNumber other : gone_) {
            job.ledger.on_job_ended(other);
        }
    }

    void read_batches(Job& job) {
        for (; job.batches_read < batches_.size(); ++job.batches_read) {
            job.ledger.on_claims(static_cast<BatchNumber>(job.batches_read + 1),
                                 batches_[job.batches_read]);
        }
    }

    void claim(Job& job) {
        read_batches(job);
        const auto claims = job.ledger.next_claims(1 + random_.below(4));
        if (claims.empty()) {
            return;
        }
        if (random_.below(4) == 0) {
            job.ledger.on_claim_lost(claims);
            return;
        }
        batches_.push_back({job.number, claims});
        job.batches_read = batches_.size();
        job.ledger.on_claimed(static_cast<BatchNumber>(batches_.size()), claims);
    }

    void finish(Job& job, bool succeeds) {
        if (job.running.empty()) {
            return;
        }
        const TaskId id = job.running.front();
        job.running.pop_front();
        const KeyDigest done = job.key_of.at(id);
        if (succeeds) {
            ++computed_;
            computed_twice_ += ++times_[done] > 1 ? 1 : 0;
        }
        ++job.got;
        job.ledger.on_outcome(
            id, done, succeeds ? value(1) : failed(wire::FailureRecord::Kind::exception));
        for (const auto& entry : job.ledger.take_entries()) {
            records_.push_back({job.number, entry.kind, entry.key, entry.extra});
            if (entry.kind == RecordKind::result) {
                job.ledger.on_recorded(entry.key, place(job.number));
            }
        }
    }

    void settle(Job& job) {
        auto decided = job.ledger.take_decisions();
        job.running.insert(job.running.end(), decided.run.begin(), decided.run.end());
        job.got += decided.values.size() + decided.reads.size() + decided.outcomes.size();
        for (const auto& entry : job.ledger.take_entries()) {
            records_.push_back({job.number, entry.kind, entry.key, entry.extra});
        }
    }

    Random random_;
    std::vector<std::unique_ptr<Job>> jobs_;
    std::vector<JobNumber> gone_;
    std::vector<Published> records_;
    std::vector<Claims> batches_;
    std::map<KeyDigest, int> times_;
    std::uint64_t last_task_ = 0;
    int computed_ = 0;
    int computed_twice_ = 0;
};

TEST(Ledger, JobsThatComeAndGoComputeNothingTwiceAndGetEverything) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        Study(seed).run();
        if (testing::Test::HasFailure()) {
            return;
        }
    }
}

} // namespace
} // namespace muster::journal
