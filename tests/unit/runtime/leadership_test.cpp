#include "runtime/leadership.hpp"
#include "transport/local.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

namespace muster::runtime {
namespace {

using namespace std::chrono_literals;
using transport::Transport;

/// One request of a user thread, until the other rank has answered it.
struct Request {
    bool for_host = false;         ///< Only the host may send it.
    bool delayed = false;          ///< It is sent a while after it is taken.
    std::thread::id sent_by{};     ///< Written before `answered`, as the next.
    std::thread::id answered_by{}; ///< Who took the answer.
    std::atomic<bool> answered{false};
};

/// A rank that sends requests to the other one and takes the answers. Every round checks that no
/// other thread is in one.
class Requester final : public Driven, private transport::Sink {
public:
    explicit Requester(Transport& transport) : transport_(transport) {}

    /// Any thread. @return true if the leader may have to be woken.
    bool post(Request& request) {
        const std::lock_guard lock(mutex_);
        posted_.push_back(&request);
        return posted_.size() == 1;
    }

    /// Any thread.
    void finish() {
        const std::lock_guard lock(mutex_);
        finish_posted_ = true;
    }

    bool round(Sleeper leader) override {
        if (inside_.exchange(true)) {
            std::abort(); // two leaders
        }
        ++rounds_; // no atomic: tsan is to see two leaders, too
        bool busy = !ordered_.empty();
        {
            const std::lock_guard lock(mutex_);
            busy = busy || !posted_.empty();
            for (Request* const request : posted_) {
                if (request->delayed) {
                    timed_.emplace(std::chrono::steady_clock::now() + 3ms, request);
                } else {
                    ordered_.push_back(request);
                }
            }
            posted_.clear();
            finished_ = finish_posted_;
        }
        while (!timed_.empty() && timed_.begin()->first <= std::chrono::steady_clock::now()) {
            ordered_.push_back(timed_.begin()->second);
            timed_.erase(timed_.begin());
        }
        busy = transport_.poll(*this) || busy;
        while (!ordered_.empty() && (leader == Sleeper::host || !ordered_.front()->for_host)) {
            Request* const request = ordered_.front();
            ordered_.pop_front();
            request->sent_by = std::this_thread::get_id();
            transport_.send(Rank{1}, std::as_bytes(std::span(&request, 1)));
        }
        inside_ = false;
        return busy;
    }

    void at_rest(TimePoint /*now*/, Duration /*quiet*/) override {}

    [[nodiscard]] bool orders_left() const override { return !ordered_.empty(); }

    [[nodiscard]] bool needs_host() const override {
        return finished_ || (!ordered_.empty() && ordered_.front()->for_host);
    }

    [[nodiscard]] TimePoint next_due() const override {
        return timed_.empty() ? TimePoint::max() : timed_.begin()->first;
    }

    [[nodiscard]] bool finished() const override { return finished_; }

    [[noreturn]] void give_up(const std::exception& /*error*/) override { std::abort(); }

private:
    void on_packet(Rank /*from*/, std::span<const std::byte> packet) override {
        Request* request = nullptr;
        std::memcpy(&request, packet.data(), sizeof request);
        request->answered_by = std::this_thread::get_id();
        request->answered = true;
        request->answered.notify_all();
    }

    void on_bulk_sent(Rank /*to*/, std::uint64_t /*transfer*/) override {}

    void on_bulk_received(Rank /*from*/, std::uint64_t /*transfer*/) override {}

    Transport& transport_;
    std::atomic<bool> inside_{false};
    std::uint64_t rounds_ = 0;
    std::deque<Request*> ordered_;
    std::multimap<TimePoint, Request*> timed_;
    bool finished_ = false;

    std::mutex mutex_; // guards what follows
    std::vector<Request*> posted_;
    bool finish_posted_ = false;
};

/// The other rank: answers each packet with the same.
class Echo final : private transport::Sink {
public:
    explicit Echo(Transport& transport) : transport_(transport) {
        thread_ = std::thread([this] {
            while (!ended_) {
                if (!transport_.poll(*this)) {
                    transport_.sleep_until(std::chrono::steady_clock::now() + 1h);
                }
            }
        });
    }

    ~Echo() override {
        ended_ = true;
        transport_.wake();
        thread_.join();
    }

private:
    void on_packet(Rank from, std::span<const std::byte> packet) override {
        transport_.send(from, packet);
    }

    void on_bulk_sent(Rank /*to*/, std::uint64_t /*transfer*/) override {}

    void on_bulk_received(Rank /*from*/, std::uint64_t /*transfer*/) override {}

    Transport& transport_;
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

/// Two ranks, of which the first has a host. Sleeps are long on purpose: a lost wake-up must end in
/// the test's time limit.
class LeadershipTest : public testing::Test {
protected:
    LeadershipTest() {
        leadership_.attach(requester_, *ranks_[0]);
        host_ = std::thread([this] { leadership_.host(); });
    }

    ~LeadershipTest() override {
        requester_.finish();
        ranks_[0]->wake();
        host_.join();
    }

    /// As a user thread submits.
    void submit(Request& request) {
        if (requester_.post(request) && !leadership_.drive_if_quiet()) {
            ranks_[0]->wake();
        }
    }

    /// As a user thread waits.
    void wait(Request& request) {
        bool unheard = false;
        const auto done = [&] { return request.answered.load(); };
        while (!leadership_.drive_until(std::ref(done), std::nullopt, unheard)) {
            request.answered.wait(false);
        }
    }

    /// A thread that stands in whenever it can, for as long as this lives.
    class StandIn {
    public:
        explicit StandIn(LeadershipTest& test) : test_(test) {
            thread_ = std::thread([this] {
                bool unheard = false;
                for (int turn = 0; !ended_; ++turn) {
                    // Wanted elsewhere now and then, as an executor is.
                    int looks = turn % 7;
                    test_.leadership_.stand_in(
                        [&] { return ended_ || (turn % 3 == 0 && --looks < 0); }, 50us, unheard);
                    if (std::exchange(unheard, false)) {
                        test_.ranks_[0]->wake();
                    }
                    std::this_thread::yield();
                }
            });
        }

        StandIn(const StandIn&) = delete;
        StandIn& operator=(const StandIn&) = delete;

        ~StandIn() {
            ended_ = true;
            test_.ranks_[0]->wake();
            thread_.join();
        }

        [[nodiscard]] std::thread::id id() const { return thread_.get_id(); }

    private:
        LeadershipTest& test_;
        std::atomic<bool> ended_{false};
        std::thread thread_;
    };

    static void idle_for(std::chrono::microseconds time) {
        const auto until = std::chrono::steady_clock::now() + time;
        while (std::chrono::steady_clock::now() < until) {
            std::this_thread::yield();
        }
    }

    void use_from_many_threads();

    std::vector<std::unique_ptr<Transport>> ranks_ = transport::make_local_world(2);
    Echo echo_{*ranks_[1]};
    Requester requester_{*ranks_[0]};
    Leadership leadership_{1h};
    std::thread host_;
};

TEST_F(LeadershipTest, WhoWaitsTakesItsAnswerItself) {
    int own = 0;
    for (int i = 0; i < 300; ++i) {
        Request request;
        submit(request);
        wait(request);
        own += request.answered_by == std::this_thread::get_id() ? 1 : 0;
    }
    EXPECT_GT(own, 0);
}

TEST_F(LeadershipTest, AnEventIsTakenThoughNobodyWaits) {
    for (int i = 0; i < 300; ++i) {
        Request request;
        submit(request);
        request.answered.wait(false); // not led by this thread
        EXPECT_TRUE(request.answered);
    }
}

TEST_F(LeadershipTest, AGuestLeavesToTheHostWhatIsTheHosts) {
    const auto host = host_.get_id();
    for (int i = 0; i < 300; ++i) {
        Request theirs;
        theirs.for_host = true;
        Request own;
        submit(theirs);
        submit(own); // in order: behind it
        wait(own);
        wait(theirs);
        EXPECT_EQ(theirs.sent_by, host);
    }
}

TEST_F(LeadershipTest, ATimerThatAGuestHasSetComesThoughTheHostSleepsForLonger) {
    for (int i = 0; i < 20; ++i) {
        Request request;
        request.delayed = true;
        submit(request);
        request.answered.wait(false); // not led by this thread
        EXPECT_TRUE(request.answered);
    }
}

TEST_F(LeadershipTest, ADeadlineEndsTheWaitOfALeader) {
    bool unheard = false;
    for (int i = 0; i < 20; ++i) {
        const auto deadline = std::chrono::steady_clock::now() + 1ms;
        EXPECT_FALSE(leadership_.drive_until([] { return false; }, deadline, unheard));
        Request request;
        submit(request);
        request.answered.wait(false);
    }
}

TEST_F(LeadershipTest, WhatDoneThrowsEndsTheTurn) {
    bool unheard = false;
    for (int i = 0; i < 50; ++i) {
        EXPECT_THROW(leadership_.drive_until(
                         []() -> bool { throw std::runtime_error("no"); }, std::nullopt, unheard),
                     std::runtime_error);
        Request request;
        submit(request);
        wait(request);
    }
}

TEST_F(LeadershipTest, UnheardEventsAreTakenWhoeverLeads) {
    for (int i = 0; i < 300; ++i) {
        Request first;
        Request second;
        bool unheard = requester_.post(first);
        bool asked = false;
        const auto done = [&] {
            if (first.answered && !asked) {
                asked = true;
                unheard = requester_.post(second) || unheard;
            }
            return second.answered.load();
        };
        while (!leadership_.drive_until(std::ref(done), std::nullopt, unheard)) {
            if (std::exchange(unheard, false)) {
                ranks_[0]->wake();
            }
            (asked ? second : first).answered.wait(false);
        }
    }
}

TEST_F(LeadershipTest, AStandInTakesWhatComesWhileNobodyElseLeads) {
    const StandIn stand_in(*this);
    int taken = 0;
    for (int i = 0; i < 100; ++i) {
        idle_for(300us); // the host goes to sleep
        Request request;
        submit(request);
        request.answered.wait(false);
        taken += request.answered_by == stand_in.id() ? 1 : 0;
    }
    EXPECT_GT(taken, 0);
}

TEST_F(LeadershipTest, AStandInLeavesToTheHostWhatIsTheHosts) {
    const StandIn stand_in(*this);
    for (int i = 0; i < 300; ++i) {
        Request theirs;
        theirs.for_host = true;
        submit(theirs);
        theirs.answered.wait(false);
        EXPECT_EQ(theirs.sent_by, host_.get_id());
    }
}

TEST_F(LeadershipTest, ATimerThatAStandInHasSetComesThoughTheHostSleepsForLonger) {
    const StandIn stand_in(*this);
    for (int i = 0; i < 50; ++i) {
        Request request;
        request.delayed = true;
        submit(request);
        request.answered.wait(false);
        EXPECT_TRUE(request.answered);
    }
}

// Threads that submit and wait, wait for a time, submit only, or are idle for longer than the host
// spins, with requests among them that are the host's.
void LeadershipTest::use_from_many_threads() {
    constexpr int threads = 6;
    constexpr int rounds = 100;
    std::vector<std::thread> users;
    for (int t = 0; t < threads; ++t) {
        users.emplace_back([this, t] {
            std::minstd_rand random(static_cast<unsigned>(t + 1));
            for (int i = 0; i < rounds; ++i) {
                std::deque<Request> requests(1 + random() % 3);
                for (auto& request : requests) {
                    request.for_host = random() % 16 == 0;
                    submit(request);
                }
                if (random() % 8 == 0) {
                    bool unheard = false;
                    leadership_.drive_until([&] { return requests.back().answered.load(); },
                                            std::chrono::steady_clock::now() + 20us,
                                            unheard);
                }
                for (auto& request : requests) {
                    if (random() % 4 == 0) {
                        request.answered.wait(false);
                    } else {
                        wait(request);
                    }
                }
                if (random() % 16 == 0) {
                    idle_for(300us);
                }
            }
        });
    }
    for (auto& user : users) {
        user.join();
    }
}

TEST_F(LeadershipTest, NothingIsLostBetweenManyThreads) {
    use_from_many_threads();
}

TEST_F(LeadershipTest, NothingIsLostBetweenManyThreadsAndAStandIn) {
    const StandIn stand_in(*this);
    use_from_many_threads();
}

} // namespace
} // namespace muster::runtime
