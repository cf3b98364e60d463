#include "body.hpp"

#include <csignal>
#include <string>

namespace muster::test {

MUSTER_BODY(CommandsRunOnEveryRank) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto run = command({"sh", "-c", "echo out; echo err >&2; exit 3"})
                             .with({.placement = on_rank(rank)})();
        const auto result = run.get();
        EXPECT_EQ(result.exit_code, 3);
        EXPECT_EQ(result.signal, 0);
        EXPECT_EQ(result.out, "out\n");
        EXPECT_EQ(result.err, "err\n");
        EXPECT_FALSE(result.ok());
    }
    EXPECT_TRUE(command({"true"})().get().ok());
}

MUSTER_BODY(CommandsGetTheirInputAndEnvironment) {
    const CommandSpec spec{.argv = {"sh", "-c", "echo $COLOUR; pwd; cat"},
                           .environment = {{"COLOUR", "blue"}},
                           .directory = "/",
                           .input = std::string(300'000, 'i')};
    const auto result = command(spec).with({.placement = rank_at(1)})().get();
    EXPECT_EQ(result.out, "blue\n/\n" + std::string(300'000, 'i'));
}

MUSTER_BODY(ACommandEndedByASignalSaysWhich) {
    const auto result = command({"sh", "-c", "kill -9 $$"})().get();
    EXPECT_EQ(result.signal, SIGKILL);
    EXPECT_EQ(result.exit_code, 128 + SIGKILL);
}

MUSTER_BODY(AMissingProgramFailsItsTask) {
    const auto run = command({"no-such-program-anywhere"})();
    const auto text = thrown_by<TaskError>([&] { (void)run.get(); });
    EXPECT_TRUE(contains(text, "no-such-program-anywhere")) << text;
    EXPECT_TRUE(contains(text, "No such file")) << text;
    const auto empty = command(std::vector<std::string>{})();
    EXPECT_THROW((void)empty.get(), TaskError);
}

MUSTER_BODY(ACancelledCommandLeavesNoProcess) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        // The marker is in both processes' command lines; the shell waits for the sleep.
        const std::string seconds = std::to_string(70'000 + rank);
        auto run = command({"sh", "-c", "sleep " + seconds + "; echo never"})
                       .with({.placement = on_rank(rank)})();
        // Started for certain once it can be seen; a command looks, as another task of the rank.
        const std::string pattern = "sleep [" + seconds.substr(0, 1) + "]" + seconds.substr(1);
        const auto seen = [&](const std::string& word) {
            return command(
                       {"sh",
                        "-c",
                        "until " + word + " ps -eo args | grep -q '^" + pattern + "$'; do :; done"})
                .with({.placement = on_rank(rank)})()
                .get()
                .ok();
        };
        EXPECT_TRUE(seen(""));
        cancel(run);
        try {
            (void)run.get();
            ADD_FAILURE() << "no exception";
        } catch (const TaskError& error) {
            EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
        }
        EXPECT_TRUE(seen("!"));
    }
}

MUSTER_BODY(HundredsOfCommandsRunAndEnd) {
    std::vector<Future<CommandResult>> runs;
    for (int i = 0; i < 200; ++i) {
        runs.push_back(command({"sh", "-c", "exit " + std::to_string(i % 100)})());
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        EXPECT_EQ(runs[i].get().exit_code, static_cast<int>(i % 100));
    }
}

namespace {

/// What a command writes, as a task hears it, and how it ended.
std::string heard(std::string script, std::int64_t timeout_ms) {
    std::string out;
    std::string err;
    const auto result = run_here({.argv = {"sh", "-c", script}, .capture_max = Bytes{4}},
                                 [&](CommandStream stream, std::string_view bytes) {
                                     (stream == CommandStream::out ? out : err) += bytes;
                                 },
                                 {.timeout = std::chrono::milliseconds(timeout_ms)});
    return std::to_string(out.size()) + " " + err + " " + result.err + " " +
           std::to_string(result.exit_code) + (result.timed_out ? " timed out" : "");
}

std::string refused_output() {
    try {
        (void)run_here({.argv = {"sh", "-c", "echo x; sleep 1000"}},
                       [](CommandStream, std::string_view) { throw Error("the disk is full"); });
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

} // namespace

MUSTER_BODY(ATaskHearsAllThatItsCommandWrites) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto hear = task<&heard>.with({.placement = on_rank(rank)});
        EXPECT_EQ(hear("head -c 3000000 /dev/zero; echo failed >&2; exit 3", 0).get(),
                  "3000000 failed\n led\n 3");
    }
    EXPECT_EQ(task<&refused_output>().get(), "the disk is full");
    EXPECT_THROW((void)run_here({.argv = {"true"}}), UsageError);
}

MUSTER_BODY(ACommandThatTakesTooLongIsEnded) {
    const auto hear = task<&heard>.with({.placement = rank_at(1)});
    EXPECT_EQ(hear("exec sleep 1000", 50).get(), "0   143 timed out");
    // Who does not listen is killed, a few seconds later.
    EXPECT_EQ(hear("trap '' TERM; while :; do sleep 1000; done", 50).get(), "0   137 timed out");
    EXPECT_EQ(hear("echo quick", 100'000).get(), "6   0");
}

} // namespace muster::test
