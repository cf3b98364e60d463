#include "gang/communicator_state.hpp"
#include "gang/gather_values.hpp"
#include "socket_channel.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

// Members that are processes: their memory is another's, and goes with them.
namespace muster {
namespace {

using Body = std::function<bool(Communicator&)>;

// In a child, which ends well if the member did what the body asks of it. It ends here: what the
// channel's thread still uses is not taken from under it.
[[noreturn]] void run_member(int self, int n, test::SocketMesh& mesh, const Body& body) {
    std::shared_ptr<detail::CommunicatorState> state;
    std::mutex mutex; // Guards `state` until it is there.
    std::unique_lock lock(mutex);
    auto channel = std::make_shared<test::SocketChannel>(mesh.keep(self), [&](int lost) {
        const std::lock_guard late(mutex);
        state->abort(fmt::format("member {} (rank {}) was lost", lost, lost));
    });
    gang::Setup setup;
    setup.self = self;
    for (int member = 0; member < n; ++member) {
        setup.members.push_back({Rank{member}, NodeId{0}, "localhost"});
    }
    setup.channel = channel;
    state = std::make_shared<detail::CommunicatorState>(setup);
    lock.unlock();
    Communicator communicator(state);
    bool is_well = false;
    try {
        is_well = body(communicator);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "member %d: %s\n", self, error.what());
    }
    channel->say_goodbye();
    ::_exit(is_well ? 0 : 1);
}

// How each member's process ended, as waitpid() says it.
std::vector<int> run_processes(int n, const Body& body) {
    test::SocketMesh mesh(n);
    std::vector<pid_t> processes;
    for (int member = 0; member < n; ++member) {
        const pid_t process = ::fork();
        if (process == 0) {
            run_member(member, n, mesh, body);
        }
        processes.push_back(process);
    }
    mesh.close_all();
    std::vector<int> statuses;
    for (const pid_t process : processes) {
        int status = -1;
        ::waitpid(process, &status, 0);
        statuses.push_back(status);
    }
    return statuses;
}

bool maps_a_segment() {
    std::ifstream maps("/proc/self/maps");
    const std::string text(std::istreambuf_iterator<char>(maps), {});
    return text.find("memfd:muster-gang") != std::string::npos;
}

bool holds_a_segment_open() {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone; // The descriptor that lists them.
        const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (target.find("muster-gang") != std::string::npos) {
            return true;
        }
    }
    return false;
}

TEST(GangProcesses, MeetInMemoryThatHasNoNameAndNoOpenFile) {
    const auto statuses = run_processes(3, [](Communicator& ranks) {
        bool is_well = true;
        for (const std::size_t count : {std::size_t{1}, std::size_t{1000}, std::size_t{500000}}) {
            std::vector<double> data(count, ranks.rank() + 1.0);
            ranks.all_reduce(std::span(data));
            is_well = is_well && data == std::vector<double>(count, 6.0);
            ranks.broadcast(std::span(data).first(1), 2);
        }
        is_well = is_well && maps_a_segment() && !holds_a_segment_open();
        gang::gather_values(ranks, {});
        return is_well;
    });
    EXPECT_EQ(statuses, std::vector<int>(3, 0));
}

TEST(GangProcesses, AKilledMemberReleasesTheOthersWithItsName) {
    for (const std::size_t count : {std::size_t{10}, std::size_t{300000}}) {
        const auto statuses = run_processes(3, [&](Communicator& ranks) {
            std::vector<float> data(count, 1.0F);
            try {
                for (int i = 0;; ++i) {
                    if (ranks.rank() == 1 && i == 20) {
                        ::raise(SIGKILL);
                    }
                    ranks.all_reduce(std::span(data), ReduceOp::max);
                }
            } catch (const Error& error) {
                return error.code() == ErrorCode::aborted &&
                       std::string(error.what()).find("member 1 (rank 1)") != std::string::npos;
            }
        });
        EXPECT_TRUE(WIFSIGNALED(statuses[1]));
        EXPECT_EQ(statuses[0], 0);
        EXPECT_EQ(statuses[2], 0);
    }
}

} // namespace
} // namespace muster
