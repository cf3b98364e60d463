#include "gang/channel.hpp"
#include "gang/gather_values.hpp"
#include "local_gang.hpp"

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

// A gang that goes wrong: everybody learns why, and nobody waits for ever.
namespace muster {
namespace {

using test::GangOptions;
using test::outcomes_of_gang;
using testing::HasSubstr;
using Engine = GangOptions::Engine;

struct Outcome {
    ErrorCode code{};
    std::string text;
};

// What a member threw; empty if it returned.
Outcome outcome_of(const std::exception_ptr& thrown) {
    try {
        if (thrown) {
            std::rethrow_exception(thrown);
        }
    } catch (const Error& error) {
        return {error.code(), error.what()};
    } catch (const std::exception& error) {
        return {ErrorCode{}, error.what()};
    }
    return {};
}

struct Case {
    Engine engine;
    int members;
};

class Failures : public testing::TestWithParam<Case> {
protected:
    [[nodiscard]] int members() const { return GetParam().members; }

    [[nodiscard]] int last() const { return members() - 1; }

    std::vector<Outcome> outcomes(const test::GangBody& body, std::stop_token stop = {}) const {
        GangOptions options;
        options.engine = GetParam().engine;
        options.piece_bytes = 4096;
        options.stop = std::move(stop);
        std::vector<Outcome> result;
        for (const auto& thrown : outcomes_of_gang(members(), body, options)) {
            result.push_back(outcome_of(thrown));
        }
        return result;
    }

    // The last member makes one call at collective 1, the others another.
    void expect_mismatch(const test::GangBody& ours,
                         const test::GangBody& its,
                         const std::string& our_text,
                         const std::string& its_text) const {
        const auto ended = outcomes([&](Communicator& ranks) {
            ranks.barrier();
            (ranks.rank() == last() ? its : ours)(ranks);
        });
        for (const Outcome& outcome : ended) {
            EXPECT_EQ(outcome.code, ErrorCode::usage) << outcome.text;
            EXPECT_THAT(outcome.text, HasSubstr(our_text));
            EXPECT_THAT(outcome.text,
                        HasSubstr("member " + std::to_string(last()) + " (rank " +
                                  std::to_string(last()) + ") " + its_text));
        }
    }
};

test::GangBody all_reduce_of(std::size_t count, ReduceOp op = ReduceOp::sum) {
    return [=](Communicator& ranks) {
        std::vector<float> data(count);
        ranks.all_reduce(std::span(data), op);
    };
}

void barrier(Communicator& ranks) {
    ranks.barrier();
}

TEST_P(Failures, AnotherCollectiveIsNamedWithBothMembers) {
    expect_mismatch(all_reduce_of(10),
                    barrier,
                    "called all_reduce (sum) of 10 float at collective 1",
                    "called barrier at collective 1");
    expect_mismatch(barrier,
                    all_reduce_of(100000),
                    "called barrier at collective 1",
                    "called all_reduce (sum) of 100000 float at collective 1");
}

TEST_P(Failures, AnotherSizeIsNamedWithBothMembers) {
    expect_mismatch(
        all_reduce_of(10), all_reduce_of(11), "of 10 float", "called all_reduce (sum) of 11 float");
    expect_mismatch(all_reduce_of(10),
                    all_reduce_of(100000),
                    "of 10 float",
                    "called all_reduce (sum) of 100000");
    expect_mismatch(
        all_reduce_of(100000), all_reduce_of(0), "of 100000 float", "called all_reduce (sum) of 0");
    expect_mismatch(all_reduce_of(60000),
                    all_reduce_of(60001),
                    "of 60000 float",
                    "called all_reduce (sum) of 60001");
}

TEST_P(Failures, AnotherTypeOperationOrRootIsNamedWithBothMembers) {
    expect_mismatch(
        all_reduce_of(10),
        [](Communicator& ranks) {
            std::vector<std::int32_t> data(10);
            ranks.all_reduce(std::span(data));
        },
        "of 10 float",
        "called all_reduce (sum) of 10 int32");
    expect_mismatch(
        all_reduce_of(10), all_reduce_of(10, ReduceOp::max), "(sum)", "called all_reduce (max)");
    const auto broadcast_from = [](int root) {
        return [root](Communicator& ranks) {
            std::vector<double> data(5000);
            ranks.broadcast(std::span(data), root);
        };
    };
    expect_mismatch(broadcast_from(0),
                    broadcast_from(1),
                    "with root 0",
                    "called broadcast of 5000 double with root 1");
}

TEST_P(Failures, AMemberThatReturnedIsNamedToThoseWhoStillCall) {
    expect_mismatch(
        all_reduce_of(10), [](Communicator&) {}, "called all_reduce", "has returned");
}

TEST_P(Failures, WhatFollowsAMismatchThrowsTheSame) {
    const auto ended = outcomes([&](Communicator& ranks) {
        EXPECT_THROW((ranks.rank() == 0 ? barrier : all_reduce_of(3))(ranks), Error);
        ranks.barrier();
    });
    for (const Outcome& outcome : ended) {
        EXPECT_THAT(outcome.text, HasSubstr("do not match"));
    }
}

// Every collective, one after the other, in sizes that take each way.
void call(Communicator& ranks, std::uint64_t which, std::size_t count) {
    const auto n = static_cast<std::size_t>(ranks.size());
    std::vector<float> one(count);
    std::vector<float> all(n * count);
    const std::span<const float> read_one(one);
    const std::span<const float> read_all(all);
    switch (which % 7) {
    case 0:
        return ranks.barrier();
    case 1:
        return ranks.all_reduce(std::span(one));
    case 2:
        return ranks.broadcast(std::span(one), ranks.size() - 1);
    case 3:
        return ranks.reduce(read_one, std::span(one), ReduceOp::sum, 0);
    case 4:
        return ranks.reduce_scatter(read_all, std::span(one));
    case 5:
        return ranks.all_gather(read_one, std::span(all));
    default: {
        std::vector<float> result(n * count);
        return ranks.all_to_all(read_all, std::span(result));
    }
    }
}

TEST_P(Failures, AMemberThatThrowsReleasesTheOthersWithItsName) {
    for (std::uint64_t seed = 0; seed < 21; ++seed) {
        Random random(seed);
        const int culprit = static_cast<int>(random.below(static_cast<std::uint64_t>(members())));
        const std::uint64_t ends_at = random.below(6);
        const auto ended = outcomes([&](Communicator& ranks) {
            Random calls(seed);
            for (std::uint64_t i = 0;; ++i) {
                if (i == ends_at && ranks.rank() == culprit) {
                    throw std::runtime_error("out of luck");
                }
                // The collective in which the others wait differs from seed to seed.
                call(ranks, i + seed - ends_at + 7, calls.chance(0.5) ? 20 : 20000);
            }
        });
        const std::string name = "member " + std::to_string(culprit) + " (rank " +
                                 std::to_string(culprit) + ") failed: out of luck";
        for (int member = 0; member < members(); ++member) {
            const Outcome& outcome = ended[static_cast<std::size_t>(member)];
            EXPECT_THAT(outcome.text, HasSubstr(member == culprit ? "out of luck" : name));
            EXPECT_EQ(outcome.code, member == culprit ? ErrorCode{} : ErrorCode::aborted);
        }
    }
}

TEST_P(Failures, AMemberThatThrowsReleasesWhoeverWaitsForItsMessages) {
    const auto ended = outcomes([&](Communicator& ranks) {
        if (ranks.rank() == 0) {
            throw std::runtime_error("no message");
        }
        std::vector<double> data(1000);
        if (ranks.rank() == 1) {
            ranks.receive(std::span(data), 0);
        } else {
            ranks.send(std::span<const double>(data), 0);
        }
    });
    for (std::size_t member = 1; member < ended.size(); ++member) {
        EXPECT_EQ(ended[member].code, ErrorCode::aborted);
        EXPECT_THAT(ended[member].text, HasSubstr("member 0 (rank 0) failed: no message"));
    }
}

TEST_P(Failures, AStopReleasesWhoWaitsInACollectiveOrForAMessage) {
    std::stop_source stop;
    const auto ended = outcomes(
        [&](Communicator& ranks) {
            ranks.barrier();
            if (ranks.rank() == 0) {
                stop.request_stop();
                return;
            }
            float value = 0;
            if (ranks.rank() == 1) {
                ranks.receive(std::span(&value, 1), 0);
            } else {
                ranks.all_reduce(std::span(&value, 1));
            }
        },
        stop.get_token());
    int cancelled = 0; // The first to notice aborts the others.
    for (const Outcome& outcome : ended) {
        cancelled += outcome.code == ErrorCode::cancelled ? 1 : 0;
        EXPECT_TRUE(outcome.code == ErrorCode::cancelled || outcome.code == ErrorCode::aborted);
        EXPECT_THAT(outcome.text, HasSubstr("asked to stop"));
    }
    EXPECT_GT(cancelled, 0);
}

TEST_P(Failures, AsynchronousCollectivesThrowWhenAwaited) {
    const auto ended = outcomes([&](Communicator& ranks) {
        if (ranks.rank() == 0) {
            throw std::runtime_error("no gradient");
        }
        std::vector<float> data(20000);
        Request first = ranks.all_reduce_async(std::span(data));
        Request second = ranks.barrier_async();
        EXPECT_THROW(first.wait(), Error);
        second.wait();
    });
    for (std::size_t member = 1; member < ended.size(); ++member) {
        EXPECT_EQ(ended[member].code, ErrorCode::aborted);
        EXPECT_THAT(ended[member].text, HasSubstr("no gradient"));
    }
}

TEST_P(Failures, CallsThatOneMemberCanSeeToBeWrongAreRefused) {
    outcomes([&](Communicator& ranks) {
        std::vector<float> data(7);
        std::vector<float> result(7);
        const std::span<float> into(result);
        const std::span<const float> from(data);
        const std::span<float> nowhere(static_cast<float*>(nullptr), 3);
        const std::vector<std::function<void()>> wrong{
            [&] { ranks.broadcast(into, -1); },
            [&] { ranks.broadcast(into, ranks.size()); },
            [&] { ranks.broadcast(nowhere, 0); },
            [&] { ranks.reduce(from, into.first(6), ReduceOp::sum, ranks.rank()); },
            [&] { ranks.reduce_scatter(from, into); },
            [&] { ranks.all_gather(from, into); },
            [&] { ranks.all_to_all(from.first(1), into.first(1)); },
            [&] { ranks.all_to_all(from, into.first(6)); },
            [&] { ranks.send(from, ranks.size()); },
            [&] { ranks.send(from, 0, -1); },
            [&] { ranks.receive(into, -1); },
            [&] { ranks.receive(nowhere, 0); },
            [&] { static_cast<void>(ranks.world_rank(ranks.size())); },
        };
        for (std::size_t i = 0; i < wrong.size(); ++i) {
            try {
                wrong[i]();
                ADD_FAILURE() << "call " << i << " was not refused";
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::usage) << error.what();
            }
        }
        ranks.barrier(); // Nobody is any the worse for it.
    });
}

TEST_P(Failures, AMessageOfAnotherSizeIsAUsageError) {
    const auto ended = outcomes([&](Communicator& ranks) {
        std::vector<float> data(4);
        if (ranks.rank() == 0) {
            ranks.send(std::span<const float>(data), 1);
        } else if (ranks.rank() == 1) {
            ranks.receive(std::span(data).first(3), 0);
        }
    });
    EXPECT_EQ(ended[1].code, ErrorCode::usage);
    EXPECT_THAT(ended[1].text, HasSubstr("12 bytes"));
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
    const char* const engine = info.param.engine == Engine::messages ? "Messages"
                               : info.param.engine == Engine::shared ? "Shared"
                                                                     : "OneSegment";
    return engine + std::to_string(info.param.members);
}

std::vector<Case> cases() {
    std::vector<Case> result;
    for (const Engine engine : {Engine::messages, Engine::shared, Engine::one_segment}) {
        for (const int members : {2, 3, 7}) {
            result.push_back({engine, members});
        }
    }
    return result;
}

INSTANTIATE_TEST_SUITE_P(Gangs, Failures, testing::ValuesIn(cases()), name_of);

} // namespace
} // namespace muster
