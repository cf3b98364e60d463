#include "run/group.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <deque>
#include <functional>
#include <set>

namespace muster::launcher::run {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start_time{1000s};

/// Feeds a Group, keeps its clock, and checks after every event what must always hold.
class Harness {
public:
    explicit Harness(GroupOptions options) : options_(options), group_(options, now_) {}

    std::vector<Action> feed(const Event& event) {
        std::vector<Action> actions;
        group_.on_event(now_, event, actions);
        check(actions);
        return actions;
    }

    std::vector<Action> join(int node, int processes = 1, const std::string& host = {}) {
        Joined joined;
        joined.node = NodeId{node};
        joined.host = host.empty() ? "n" + std::to_string(node) : host;
        joined.address = "10.0.0." + std::to_string(node);
        joined.processes = processes;
        joined.port = 1000 + node;
        return feed(joined);
    }

    std::vector<Action> exit(int node, int index, Ending ending) {
        Exited exited;
        exited.node = NodeId{node};
        exited.generation = group_.generation();
        exited.index = index;
        exited.ending = ending;
        exited.pid = 100 + index;
        exited.error_tail = "line one\nline two";
        return feed(exited);
    }

    std::vector<Action> fail(int node, int index, int code = 3) {
        return exit(node, index, {code, 0, {}});
    }

    std::vector<Action> succeed(int node, int index) { return exit(node, index, {}); }

    std::vector<Action> stopped(int node, int port = 2000) {
        running_.erase(NodeId{node});
        return feed(Stopped{NodeId{node}, group_.generation(), port + node});
    }

    std::vector<Action> lose(int node) {
        running_.erase(NodeId{node});
        return feed(Lost{NodeId{node}, "its connection ended"});
    }

    std::vector<Action> wait(Duration time) {
        now_ += time;
        return feed(Ticked{});
    }

    /// Lets time pass until the group asks to be woken.
    std::vector<Action> wait_for_deadline() {
        EXPECT_TRUE(group_.deadline().has_value());
        now_ = std::max(now_, group_.deadline().value_or(now_));
        return feed(Ticked{});
    }

    [[nodiscard]] const Group& group() const { return group_; }

    [[nodiscard]] TimePoint now() const { return now_; }

    [[nodiscard]] const std::set<NodeId>& running() const { return running_; }

private:
    /// A generation starts only when nothing of the one before is left; Finish comes last, and when
    /// nothing runs.
    void check(const std::vector<Action>& actions) {
        bool starts = false;
        for (std::size_t i = 0; i < actions.size(); ++i) {
            if (const auto* start = std::get_if<Start>(&actions[i])) {
                if (!starts) {
                    EXPECT_TRUE(running_.empty()) << "started anew while a node still runs";
                    starts = true;
                }
                EXPECT_TRUE(running_.insert(start->node).second);
                EXPECT_EQ(start->placement.generation, group_.generation());
            }
            if (std::holds_alternative<Finish>(actions[i])) {
                EXPECT_EQ(i + 1, actions.size()) << "something follows the end";
                EXPECT_TRUE(running_.empty()) << "ended while a node still runs";
            }
        }
        EXPECT_TRUE(group_.finished() || group_.deadline() || !running_.empty())
            << "waits for nothing";
    }

    GroupOptions options_;
    TimePoint now_ = start_time;
    Group group_;
    std::set<NodeId> running_;
};

GroupOptions nodes(int count, int restarts = 0) {
    GroupOptions options;
    options.nodes_min = count;
    options.nodes_max = count;
    options.max_restarts = restarts;
    return options;
}

template <class T>
std::vector<T> all(const std::vector<Action>& actions) {
    std::vector<T> found;
    for (const Action& action : actions) {
        if (const auto* one = std::get_if<T>(&action)) {
            found.push_back(*one);
        }
    }
    return found;
}

std::string said(const std::vector<Action>& actions) {
    std::string text;
    for (const Say& say : all<Say>(actions)) {
        text += say.text + "\n";
    }
    return text;
}

std::optional<int> code(const std::vector<Action>& actions) {
    const auto finish = all<Finish>(actions);
    return finish.empty() ? std::nullopt : std::optional(finish.front().code);
}

TEST(Group, StartsWhenAllNodesHaveJoinedAndNumbersRanksByNode) {
    Harness harness(nodes(2));
    EXPECT_TRUE(harness.join(1, 2).empty());
    const auto starts = all<Start>(harness.join(0, 2));
    ASSERT_EQ(starts.size(), 2u);
    EXPECT_EQ(starts[0].node, NodeId{0});
    EXPECT_EQ(starts[0].placement.first_rank, 0);
    EXPECT_EQ(starts[1].placement.first_rank, 2);
    EXPECT_EQ(starts[1].placement.world_size, 4);
    EXPECT_EQ(starts[1].placement.local_world_size, 2);
    EXPECT_EQ(starts[1].placement.host_index, 1);
    EXPECT_EQ(starts[1].placement.master_address, "10.0.0.0");
    EXPECT_EQ(starts[1].placement.master_port, 1000);
}

TEST(Group, SupervisorsOfOneHostShareItsLocalRanksAndAreNeighbours) {
    Harness harness(nodes(4));
    harness.join(0, 1, "a");
    harness.join(1, 1, "b"); // a cyclic distribution of tasks
    harness.join(2, 1, "a");
    const auto starts = all<Start>(harness.join(3, 1, "b"));
    ASSERT_EQ(starts.size(), 4u);
    EXPECT_EQ(starts[1].node, NodeId{2});
    EXPECT_EQ(starts[1].placement.first_rank, 1);
    EXPECT_EQ(starts[1].placement.first_local_rank, 1);
    EXPECT_EQ(starts[1].placement.local_world_size, 2);
    EXPECT_EQ(starts[2].node, NodeId{1});
    EXPECT_EQ(starts[2].placement.first_rank, 2);
    EXPECT_EQ(starts[2].placement.host_index, 1);
    EXPECT_EQ(starts[2].placement.hosts, 2);
}

TEST(Group, EndsWithZeroWhenAllHaveAndNothingIsLeft) {
    Harness harness(nodes(2));
    harness.join(0);
    harness.join(1);
    EXPECT_TRUE(harness.succeed(0, 0).empty());
    EXPECT_EQ(all<Stop>(harness.succeed(1, 0)).size(), 2u);
    EXPECT_EQ(code(harness.stopped(0)), std::nullopt);
    EXPECT_EQ(code(harness.stopped(1)), 0);
}

TEST(Group, TheFirstFailureEndsTheOthersAndGivesTheCode) {
    Harness harness(nodes(2));
    harness.join(0, 2);
    harness.join(1, 2);
    const auto stops = all<Stop>(harness.fail(1, 1, 7));
    ASSERT_EQ(stops.size(), 2u);
    EXPECT_FALSE(stops[0].at_once);
    harness.exit(0, 0, {0, SIGTERM, {}});
    harness.fail(0, 1, 9); // told to end, it ended: no failure of its own
    harness.stopped(0);
    const auto end = harness.stopped(1);
    EXPECT_EQ(code(end), 7);
    EXPECT_NE(said(end).find("rank 3 on n1 (process 101): exit code 7"), std::string::npos);
    EXPECT_NE(said(end).find("line two"), std::string::npos);
    EXPECT_EQ(said(end).find("exit code 9"), std::string::npos);
}

TEST(Group, ASignalIs128AndItsNumber) {
    Harness harness(nodes(1));
    harness.join(0);
    harness.exit(0, 0, {0, SIGSEGV, {}});
    const auto end = harness.stopped(0);
    EXPECT_EQ(code(end), 128 + SIGSEGV);
    EXPECT_NE(said(end).find("Segmentation"), std::string::npos);
}

TEST(Group, RestartsAllAsOftenAsItMayOnAFreshPort) {
    Harness harness(nodes(2, 2));
    harness.join(0);
    harness.join(1);
    for (int restart = 1; restart <= 2; ++restart) {
        harness.fail(0, 0);
        harness.stopped(1);
        const auto actions = harness.stopped(0, 3000 * restart);
        const auto starts = all<Start>(actions);
        ASSERT_EQ(starts.size(), 2u);
        EXPECT_EQ(starts[0].placement.generation, restart);
        EXPECT_EQ(starts[0].placement.master_port, 3000 * restart);
        EXPECT_NE(said(actions).find("restart " + std::to_string(restart) + " of 2"),
                  std::string::npos);
    }
    harness.fail(0, 0, 5);
    harness.stopped(1);
    EXPECT_EQ(code(harness.stopped(0)), 5);
}

TEST(Group, ALostNodeCostsNoRestartWhereFewerWillDo) {
    GroupOptions options = nodes(3);
    options.nodes_min = 2;
    Harness harness(options);
    harness.join(0, 2);
    harness.join(1, 2);
    harness.join(2, 2);
    EXPECT_EQ(all<Stop>(harness.lose(0)).size(), 2u);
    harness.stopped(1);
    const auto starts = all<Start>(harness.stopped(2));
    ASSERT_EQ(starts.size(), 2u);
    EXPECT_EQ(starts[0].node, NodeId{1});
    EXPECT_EQ(starts[0].placement.first_rank, 0);
    EXPECT_EQ(starts[0].placement.world_size, 4);
    EXPECT_EQ(starts[0].placement.master_address, "10.0.0.1");
    harness.lose(1);
    const auto end = harness.stopped(2);
    EXPECT_EQ(code(end), 1);
    EXPECT_NE(said(end).find("1 node is left, and 2 needed"), std::string::npos);
}

TEST(Group, APeersErrorBeforeItsNodeIsKnownToBeLostIsTheLosssToo) {
    GroupOptions options = nodes(2);
    options.nodes_min = 1;
    Harness harness(options);
    harness.join(0);
    harness.join(1);
    harness.fail(0, 0); // "connection reset by peer"
    harness.stopped(0);
    EXPECT_EQ(all<Start>(harness.lose(1)).size(), 1u);
}

TEST(Group, ANodeThatDoesNotStopIsLost) {
    GroupOptions options = nodes(2, 1);
    options.nodes_min = 1;
    Harness harness(options);
    harness.join(0);
    harness.join(1);
    harness.fail(0, 0);
    harness.stopped(0);
    EXPECT_EQ(harness.group().deadline(), harness.now() + options.grace + options.stop_patience);
    // The harness counts it as running: what it still does is cut off with its connection.
    std::vector<Action> actions;
    Group group = harness.group();
    group.on_event(*group.deadline(), Ticked{}, actions);
    ASSERT_EQ(all<Start>(actions).size(), 1u);
    EXPECT_EQ(all<Start>(actions)[0].placement.world_size, 1);
    // Its late reports are of no interest.
    actions.clear();
    group.on_event(harness.now(), Stopped{NodeId{1}, 0, 1}, actions);
    EXPECT_TRUE(actions.empty());
}

TEST(Group, WaitsForTheOthersOnceEnoughHaveJoinedButNotForLong) {
    GroupOptions options = nodes(3);
    options.nodes_min = 1;
    Harness harness(options);
    EXPECT_TRUE(harness.join(2).empty());
    EXPECT_TRUE(harness.wait(options.last_call - 1s).empty());
    EXPECT_EQ(all<Start>(harness.wait(1s)).size(), 1u);
}

TEST(Group, OneThatJoinsLateHasItsPartInTheNextGeneration) {
    GroupOptions options = nodes(2, 1);
    options.nodes_min = 1;
    Harness harness(options);
    harness.join(0);
    harness.wait(options.last_call);
    EXPECT_TRUE(harness.join(1).empty());
    harness.fail(0, 0);
    const auto starts = all<Start>(harness.stopped(0));
    ASSERT_EQ(starts.size(), 2u);
    EXPECT_EQ(starts[0].placement.world_size, 2);
}

TEST(Group, TooFewNodesAreASentenceWithTheirNames) {
    Harness harness(nodes(2));
    harness.join(0);
    const auto end = harness.wait_for_deadline();
    EXPECT_EQ(code(end), 1);
    EXPECT_NE(said(end).find("only 1 of 2 nodes have joined: n0"), std::string::npos);
}

TEST(Group, EndsAtOnceWhenTheLauncherDoesBeforeEnoughHaveJoined) {
    Harness harness(nodes(2));
    harness.join(0);
    const auto end = harness.feed(LauncherEnded{"srun ended: exit code 1"});
    EXPECT_EQ(code(end), 1);
    EXPECT_NE(said(end).find("srun ended: exit code 1"), std::string::npos);
}

TEST(Group, ASignalIsForwardedOnceAndTheRanksHaveTheGraceToEnd) {
    Harness harness(nodes(2, 5));
    harness.join(0);
    harness.join(1);
    EXPECT_EQ(all<Forward>(harness.feed(Signalled{SIGTERM})).size(), 2u);
    EXPECT_TRUE(all<Stop>(harness.fail(0, 0, 75)).empty()) << "the other may still save something";
    EXPECT_EQ(all<Stop>(harness.succeed(1, 0)).size(), 2u);
    harness.stopped(0);
    EXPECT_EQ(code(harness.stopped(1)), 75) << "and no restart";
}

TEST(Group, RanksThatHandleTheSignalAndEndWellEndTheRunWell) {
    Harness harness(nodes(1));
    harness.join(0);
    harness.feed(Signalled{SIGTERM});
    harness.succeed(0, 0);
    EXPECT_EQ(code(harness.stopped(0)), 0);
}

TEST(Group, RanksThatDoNotEndAfterASignalAreKilledAfterTheGrace) {
    Harness harness(nodes(1));
    harness.join(0);
    harness.feed(Signalled{SIGINT});
    const auto actions = harness.wait_for_deadline();
    ASSERT_EQ(all<Stop>(actions).size(), 1u);
    EXPECT_TRUE(all<Stop>(actions)[0].at_once);
    harness.exit(0, 0, {0, SIGKILL, {}});
    EXPECT_EQ(code(harness.stopped(0)), 128 + SIGINT);
}

TEST(Group, ASecondInterruptKillsAtOnce) {
    Harness harness(nodes(1));
    harness.join(0);
    harness.feed(Signalled{SIGINT});
    const auto stops = all<Stop>(harness.feed(Signalled{SIGINT}));
    ASSERT_EQ(stops.size(), 1u);
    EXPECT_TRUE(stops[0].at_once);
}

TEST(Group, TheSameSignalOfSeveralNodesIsOne) {
    Harness harness(nodes(2));
    harness.join(0);
    harness.join(1);
    EXPECT_EQ(all<Forward>(harness.feed(Signalled{SIGTERM, true})).size(), 2u);
    EXPECT_TRUE(harness.feed(Signalled{SIGTERM, true}).empty());
    EXPECT_EQ(all<Forward>(harness.feed(Signalled{SIGUSR1, true})).size(), 2u);
}

TEST(Group, UserSignalsAreForwardedAndChangeNothing) {
    Harness harness(nodes(1));
    harness.join(0);
    EXPECT_EQ(all<Forward>(harness.feed(Signalled{SIGUSR1})),
              (std::vector<Forward>{{NodeId{0}, SIGUSR1}}));
    EXPECT_EQ(all<Forward>(harness.feed(Signalled{SIGUSR1})).size(), 1u);
    harness.fail(0, 0);
    EXPECT_EQ(code(harness.stopped(0)), 3);
}

TEST(Group, ASignalBeforeTheStartEndsTheRun) {
    Harness harness(nodes(2));
    harness.join(0);
    EXPECT_EQ(code(harness.feed(Signalled{SIGTERM})), 128 + SIGTERM);
}

TEST(Group, ATimeoutEndsTheRunWithItsOwnCodeAndNoRestart) {
    GroupOptions options = nodes(1, 3);
    options.timeout = 60s;
    Harness harness(options);
    harness.join(0);
    const auto actions = harness.wait(60s);
    EXPECT_EQ(all<Stop>(actions).size(), 1u);
    EXPECT_NE(said(actions).find("60 s"), std::string::npos);
    harness.exit(0, 0, {0, SIGTERM, {}});
    EXPECT_EQ(code(harness.stopped(0)), timed_out_code);
}

TEST(Group, ATimeoutWhileItGathersEndsItToo) {
    GroupOptions options = nodes(2);
    options.timeout = 1s;
    Harness harness(options);
    EXPECT_EQ(code(harness.wait(1s)), timed_out_code);
}

TEST(Group, ReportsOfAnEarlierGenerationCountForNothing) {
    Harness harness(nodes(1, 1));
    harness.join(0);
    harness.fail(0, 0);
    harness.stopped(0);
    Exited late;
    late.generation = 0;
    late.ending.exit_code = 1;
    EXPECT_TRUE(harness.feed(late).empty());
    EXPECT_TRUE(harness.feed(Stopped{NodeId{0}, 0, 1}).empty());
}

TEST(Group, AProgramThatCannotBeStartedSaysWhy) {
    Harness harness(nodes(1));
    harness.join(0);
    harness.exit(0, 0, {127, 0, "'x', the program: No such file or directory"});
    const auto end = harness.stopped(0);
    EXPECT_EQ(code(end), 127);
    EXPECT_NE(said(end).find("could not be started: 'x'"), std::string::npos);
}

/// Every order of what may happen to three nodes with a process each, to a depth at which all runs
/// have ended or made two restarts; the checks are the harness's, and that every run that is left
/// to the clock alone ends.
class Exhaustive : public testing::TestWithParam<std::tuple<int, int>> {};

struct Step {
    enum class Kind { succeed, fail, stop, lose, term, wait } kind;
    int node = 0;
};

void settle(Harness& harness) {
    // Nodes that are told to stop do; the rest is the clock's.
    for (int round = 0; round < 40 && !harness.group().finished(); ++round) {
        const auto running = harness.running();
        for (const NodeId node : running) {
            if (!harness.group().finished() && harness.running().contains(node)) {
                harness.fail(static_cast<int>(node), 0, 1);
            }
            if (!harness.group().finished() && harness.running().contains(node)) {
                harness.stopped(static_cast<int>(node));
            }
        }
        if (!harness.group().finished() && harness.running().empty() &&
            harness.group().deadline()) {
            harness.wait_for_deadline();
        }
    }
}

TEST_P(Exhaustive, EveryRunEndsAndStartsOnlyWhenNothingIsLeft) {
    const auto [restarts, nodes_min] = GetParam();
    GroupOptions options = nodes(3, restarts);
    options.nodes_min = nodes_min;
    std::vector<Step> steps;
    for (int node = 0; node < 3; ++node) {
        for (const auto kind :
             {Step::Kind::succeed, Step::Kind::fail, Step::Kind::stop, Step::Kind::lose}) {
            steps.push_back({kind, node});
        }
    }
    steps.push_back({Step::Kind::term, 0});
    steps.push_back({Step::Kind::wait, 0});

    struct State {
        Harness harness;
        std::set<int> exited;
        std::set<int> lost;
        int generation = 0;
    };

    State first{Harness(options), {}, {}, 0};
    for (int node = 0; node < 3; ++node) {
        first.harness.join(node);
    }
    std::deque<std::pair<State, int>> open{{first, 0}};
    std::size_t ends = 0;
    constexpr int depth_max = 4;
    while (!open.empty()) {
        auto [state, depth] = std::move(open.front());
        open.pop_front();
        State settled = state;
        settle(settled.harness);
        EXPECT_TRUE(settled.harness.group().finished());
        ++ends;
        if (depth == depth_max || testing::Test::HasFailure()) {
            continue;
        }
        for (const Step& step : steps) {
            State next = state;
            const bool runs = next.harness.running().contains(NodeId{step.node});
            if (step.kind == Step::Kind::wait) {
                if (next.harness.running().size() == 3) {
                    continue;
                }
                next.harness.wait(1s);
            } else if (step.kind == Step::Kind::term) {
                next.harness.feed(Signalled{SIGTERM});
            } else if (step.kind == Step::Kind::lose) {
                if (!next.lost.insert(step.node).second) {
                    continue;
                }
                next.harness.lose(step.node);
            } else if (!runs) {
                continue;
            } else if (step.kind == Step::Kind::stop) {
                if (!next.exited.contains(step.node)) {
                    continue; // it says so when its processes have ended
                }
                next.harness.stopped(step.node);
            } else {
                if (!next.exited.insert(step.node).second) {
                    continue;
                }
                next.harness.exit(
                    step.node, 0, step.kind == Step::Kind::fail ? Ending{3, 0, {}} : Ending{});
            }
            if (next.harness.group().finished()) {
                ++ends;
                continue;
            }
            if (next.harness.group().generation() != next.generation) {
                next.generation = next.harness.group().generation();
                next.exited.clear();
            }
            open.emplace_back(std::move(next), depth + 1);
        }
    }
    EXPECT_GT(ends, 1000u);
}

INSTANTIATE_TEST_SUITE_P(RestartsAndLeastNodes,
                         Exhaustive,
                         testing::Combine(testing::Values(0, 1, 2), testing::Values(1, 2, 3)));

} // namespace
} // namespace muster::launcher::run
