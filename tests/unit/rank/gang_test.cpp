#include "driven.hpp"
#include "wire/gang_tags.hpp"

#include <algorithm>
#include <array>

namespace muster::rank {
namespace {

using testing::bytes;
using testing::cpu_class;
using testing::orders;
using testing::sent;

const LeaseId gang = make_lease_id(Term{1}, 1);
const std::vector members{Rank{1}, Rank{0}};

/// Rank 1 of two, with one CPU; rank 0 is coordinator and owner, and the other member's rank.
class GangRank : public Driven {
public:
    GangRank() : Driven(Rank{1}, 2) {
        on({Started{}});
        hear(Rank{0}, wire::CoordinatorElected{Term{1}, Rank{0}, "test"}, Term{0});
    }

    static TaskId task() { return make_object_id(Rank{0}, 10); }

    wire::Actions start() {
        wire::Run run;
        run.lease = gang;
        run.task_class = cpu_class(1);
        run.task_class.ranks = 2;
        run.tasks.push_back({task(), 1, {}, {}});
        run.gang = {gang, members, false};
        return hear(Rank{0}, std::move(run));
    }

    wire::Actions open(std::shared_ptr<void> port = std::make_shared<int>()) {
        return on({GangOpened{gang, members, 0, std::move(port)}});
    }

    /// The events of a member that ends, in their order.
    wire::Actions end(bool ok) {
        worker::AttemptFinished report{task(), ok, {}, {}, Duration{5}};
        if (!ok) {
            report.failure.emplace_back();
            report.failure.front().message = "no paper";
        }
        return on({GangClosed{gang, 0}, std::move(report), SlotReturned{0}});
    }

    static wire::GangFailed failed() {
        wire::GangFailed message{gang, 1, {}};
        message.failure.message = "no paper";
        return message;
    }

    wire::Actions offer() {
        return hear(Rank{0}, wire::GangOffer{{gang, 1, 0, wire::tag_of_users}, 4, 100'000});
    }
};

/// Where the first order of a kind is among what was ordered; the number of all if there is none.
template <class A>
std::ptrdiff_t place_of_order(const wire::Actions& actions) {
    return std::distance(actions.begin(),
                         std::find_if(actions.begin(), actions.end(), [](const auto& action) {
                             return std::holds_alternative<A>(action);
                         }));
}

TEST(RankMachineGangs, PeersHearThatAMemberFailedAndNothingElseOfItsEnd) {
    GangRank machine;
    machine.start();
    machine.open();
    EXPECT_TRUE(machine.offer().empty());
    // Its port closes before its failure is known; the word of that must not overtake.
    EXPECT_TRUE(machine.on({GangClosed{gang, 0}}).empty());
    worker::AttemptFinished report{GangRank::task(), false, {}, {}, Duration{5}};
    report.failure.emplace_back();
    report.failure.front().message = "no paper";
    const auto actions = machine.on({std::move(report)});
    EXPECT_TRUE(sent<wire::GangRefuse>(actions).empty());
    EXPECT_EQ(sent<wire::GangFailed>(actions).at(0).first, Rank{0});
    EXPECT_TRUE(machine->exchange().idle());
}

TEST(RankMachineGangs, PeersOfAMemberThatReturnedAreToldSo) {
    GangRank machine;
    machine.start();
    machine.open();
    machine.offer();
    const auto returned = machine.on({GangReturned{gang, 0}});
    EXPECT_EQ(sent<wire::GangRefuse>(returned).at(0).second.why,
              "member 0 of the gang has returned and receives no more");
    EXPECT_TRUE(sent<wire::GangFailed>(machine.end(true)).empty());
    EXPECT_TRUE(machine->exchange().idle());
    EXPECT_TRUE(machine->worker().idle());
}

TEST(RankMachineGangs, AFailureThatComesBeforeItsMemberEndsItAtOnce) {
    GangRank machine;
    EXPECT_TRUE(machine.hear(Rank{0}, GangRank::failed()).empty());
    const auto started = machine.start();
    ASSERT_EQ(orders<wire::StopTask>(started).size(), 1U);
    const auto ended = machine.on({TasksTakenBack{{GangRank::task()}, false}, SlotReturned{0}});
    const auto finished = sent<wire::Finished>(ended);
    ASSERT_EQ(finished.size(), 1U);
    EXPECT_EQ(finished[0].second.tasks[0].outcome.failure[0].kind,
              wire::FailureRecord::Kind::released);
    EXPECT_TRUE(machine->exchange().idle());
    EXPECT_TRUE(machine->worker().idle());
}

TEST(RankMachineGangs, AMemberIsReleasedBeforeItIsAskedToStop) {
    for (const bool cancelled : {false, true}) {
        GangRank machine;
        machine.start();
        machine.open();
        const auto actions = cancelled ? machine.hear(Rank{0}, wire::Stop{GangRank::task(), gang})
                                       : machine.hear(Rank{0}, GangRank::failed());
        ASSERT_EQ(orders<wire::AbortMember>(actions).size(), 1U);
        ASSERT_EQ(orders<wire::StopTask>(actions).size(), 1U);
        EXPECT_LT(place_of_order<wire::AbortMember>(actions),
                  place_of_order<wire::StopTask>(actions));
    }
}

TEST(RankMachineGangs, AMemberThatWaitsForOneThatReturnedIsToldWhenItAsks) {
    GangRank machine;
    machine.start();
    machine.open();
    const wire::GangAddress address{gang, 1, 0, wire::tag_of_users};
    std::array<std::byte, 8> memory{};
    auto completion = std::make_shared<int>();
    machine.on({GangReceive{address, memory.data(), memory.size(), completion}});
    EXPECT_EQ(sent<wire::GangAsk>(machine.on({GangAsked{address}})).at(0).first, Rank{0});
    const auto told = orders<wire::SettleMessage>(machine.hear(Rank{0}, wire::GangNone{address}));
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].why, "member 1 of the gang has returned and sends no more");
    // And the other way round.
    machine.hear(Rank{0}, wire::GangAsk{{gang, 0, 1, wire::tag_of_users}});
    EXPECT_EQ(sent<wire::GangNone>(machine.on({GangReturned{gang, 0}})).at(0).first, Rank{0});
}

TEST(RankMachineGangs, SaysGoodbyeOnlyWhenItsMembersBytesHaveCome) {
    GangRank machine;
    machine.start();
    machine.open();
    const wire::GangAddress address{gang, 1, 0, wire::tag_of_users};
    std::vector<std::byte> memory(100'000);
    auto completion = std::make_shared<int>();
    machine.on({GangReceive{address, memory.data(), memory.size(), completion}});
    const auto transfer = sent<wire::GangAccept>(machine.offer()).at(0).second.transfer;
    machine.hear(Rank{0}, wire::GangStarted{transfer});
    machine.hear(Rank{0}, wire::Shutdown{0});
    EXPECT_TRUE(sent<wire::Goodbye>(machine.on({ExecutorsStopped{}})).empty());
    const auto actions = machine.on({BulkReceived{Rank{0}, transfer, {}}});
    EXPECT_EQ(orders<wire::SettleMessage>(actions).size(), 1U);
    EXPECT_EQ(sent<wire::Goodbye>(actions).size(), 1U);
}

/// Rank 1 of three; the driver's rank 0 coordinates, and rank 2 hosts the other member.
class DoomedGang : public Driven {
public:
    explicit DoomedGang(bool raw) : Driven(config()) {
        on({Started{}});
        hear(Rank{0}, wire::CoordinatorElected{Term{1}, Rank{0}, "test"}, Term{0});
        wire::Run run;
        run.lease = gang;
        run.task_class = cpu_class(1);
        run.task_class.ranks = 2;
        run.task_class.raw_mpi = raw;
        run.tasks.push_back({GangRank::task(), 1, {}, {}});
        run.gang = {gang, {Rank{1}, Rank{2}}, raw};
        hear(Rank{0}, std::move(run));
    }

    void lose() {
        hear(Rank{0}, wire::CoordinatorElected{Term{2}, Rank{0}, "test", {Rank{2}}}, Term{2});
    }

    /// The orders to end that it gives by then.
    std::vector<wire::EndRank> at(std::chrono::seconds time) {
        wire::Actions actions;
        (*this)->advance(TimePoint{} + time, actions);
        return orders<wire::EndRank>(actions);
    }

private:
    static RankMachine::Config config() {
        auto config = rank::config(Rank{1}, 3);
        config.heartbeat_timeout = std::chrono::seconds{4};
        return config;
    }
};

TEST(RankMachineGangs, AMemberThatWaitsInMpiForTheDeadCostsItsRank) {
    DoomedGang machine(true);
    EXPECT_TRUE(machine.at(std::chrono::seconds{1}).empty());
    machine.lose();
    EXPECT_EQ(machine->next_timer(), TimePoint{}); // it does not know what time it is
    EXPECT_TRUE(machine.at(std::chrono::seconds{2}).empty());
    EXPECT_EQ(machine->next_timer(), TimePoint{} + std::chrono::seconds{14});
    EXPECT_TRUE(machine.at(std::chrono::seconds{13}).empty());
    const auto ends = machine.at(std::chrono::seconds{14});
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(
        ends.front().why,
        "its member of a gang that calls MPI (`.raw_mpi`) has not come back since rank "
        "2 was lost, and no call of MPI that waits for the dead can be left: it ends, so that "
        "the others can go on without it");
}

TEST(RankMachineGangs, AMemberThatComesBackCostsNothing) {
    DoomedGang machine(true);
    machine.lose();
    EXPECT_TRUE(machine.at(std::chrono::seconds{2}).empty());
    worker::AttemptFinished report{GangRank::task(), true, {}, {}, Duration{5}};
    machine.on({GangClosed{gang, 0}, std::move(report), SlotReturned{0}});
    EXPECT_TRUE(machine.at(std::chrono::seconds{14}).empty());
    EXPECT_EQ(machine->next_timer(), std::nullopt);
}

TEST(RankMachineGangs, AMemberThatDoesNotCallMpiIsReleasedAndCostsNothing) {
    DoomedGang machine(false);
    machine.lose();
    EXPECT_TRUE(machine.at(std::chrono::seconds{2}).empty());
    EXPECT_TRUE(machine.at(std::chrono::seconds{100}).empty());
}

} // namespace
} // namespace muster::rank
