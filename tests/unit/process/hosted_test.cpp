#include "fixture.hpp"
#include "process/channel.hpp"
#include "process/error_relay.hpp"
#include "process/hosted.hpp"
#include "process/memory_watch.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_SANITIZED 1
#else
#define MEMORY_IS_SANITIZED 0
#endif

namespace muster::process {
namespace {

Buffer bytes_of(const std::string& text) {
    return Buffer::copy_of(std::as_bytes(std::span(text)));
}

std::string text_of(const Buffer& buffer) {
    return {reinterpret_cast<const char*>(buffer.bytes().data()), buffer.size()};
}

/// So much of its own, for as long as it lives.
void use_memory(std::size_t bytes) {
    void* const data = ::mmap(
        nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    std::memset(data, 1, bytes);
}

[[noreturn]] void use_memory_without_end() {
    while (true) {
        use_memory(std::size_t{1} << 20);
    }
}

/// What a hosted process does is the first message it gets.
void serve(UniqueFd socket) {
    Channel channel(socket.get());
    while (true) {
        const auto received = channel.receive(Channel::Wait::yes);
        if (received.ended) {
            return;
        }
        const std::string what = text_of(received.frame->head);
        if (what == "echo") {
            channel.send(
                received.frame->head.bytes(), received.frame->payloads, Channel::Wait::yes);
        } else if (what == "segfault") {
            ::raise(SIGSEGV);
        } else if (what == "abort") {
            [[maybe_unused]] const auto n = ::write(STDERR_FILENO, "no way\n", 7);
            std::abort();
        } else if (what == "exit") {
            ::_exit(3);
        } else if (what == "child") {
            const pid_t child = ::fork();
            if (child == 0) {
                ::pause();
            }
            channel.send(bytes_of(std::to_string(child)).bytes(), {}, Channel::Wait::yes);
        } else if (what == "greedy") {
            use_memory_without_end();
        } else if (what == "greedy child") {
            if (::fork() == 0) {
                use_memory_without_end();
            }
            ::pause();
        } else if (what == "ignore SIGTERM") {
            ::signal(SIGTERM, SIG_IGN);
            channel.send(received.frame->head.bytes(), {}, Channel::Wait::yes);
        } else if (what == "descriptors") {
            const std::filesystem::directory_iterator fds("/proc/self/fd");
            channel.send(bytes_of(std::to_string(std::distance(begin(fds), end(fds)))).bytes(),
                         {},
                         Channel::Wait::yes);
        }
    }
}

class HostedTest : public testing::TestWithParam<MemoryControl> {
protected:
    HostedProcess host(Bytes limit = {}) { return zygote_->host(limit).value_or_throw(); }

    static void order(const HostedProcess& process, const std::string& what) {
        Channel(process.channel()).send(bytes_of(what).bytes(), {}, Channel::Wait::yes);
    }

    static std::string ask(const HostedProcess& process, const std::string& what) {
        order(process, what);
        return text_of(Channel(process.channel()).receive(Channel::Wait::yes).frame->head);
    }

    ProcessEnd end_of(const std::string& what, Bytes limit = {}) {
        auto process = host(limit);
        order(process, what);
        return process.wait_end();
    }

    std::unique_ptr<Zygote> zygote_ = Zygote::fork_off(serve, GetParam()).value_or_throw();
};

TEST_P(HostedTest, SaysHowItEnded) {
    EXPECT_EQ(describe(end_of("segfault"), {}), "was ended by signal 11 (SIGSEGV)");
    EXPECT_EQ(describe(end_of("abort"), {}), "was ended by signal 6 (SIGABRT)");
    EXPECT_EQ(describe(end_of("exit"), {}), "called exit(3)");
    auto process = host();
    EXPECT_FALSE(process.poll_end());
    ::kill(process.pid(), SIGKILL);
    const auto end = process.wait_end();
    EXPECT_NE(describe(end, {}).find("signal 9 (SIGKILL) from outside"), std::string::npos);
    EXPECT_GT(end.memory_peak.count, 100'000U);
    EXPECT_TRUE(process.poll_end());
}

TEST_P(HostedTest, CarriesFramesOfAnySize) {
    auto process = host();
    Channel channel(process.channel());
    for (const std::size_t size : {0U, 1U, 1000U, 61'000U, 70'000U, 10'000'000U}) {
        const std::vector payloads{bytes_of(std::string(size, 'a')), Buffer(), bytes_of("end")};
        channel.send(bytes_of("echo").bytes(), payloads, Channel::Wait::no);
        const auto received = channel.receive(Channel::Wait::yes);
        ASSERT_TRUE(received.frame);
        EXPECT_EQ(text_of(received.frame->head), "echo");
        EXPECT_TRUE(received.frame->payloads == payloads) << size;
    }
    const std::vector<Buffer> many(5'000, bytes_of("xyz"));
    channel.send(bytes_of("echo").bytes(), many, Channel::Wait::no);
    EXPECT_TRUE(channel.receive(Channel::Wait::yes).frame->payloads == many);
}

TEST_P(HostedTest, KeepsWhatTheSocketHasNoRoomFor) {
    auto process = host();
    Channel channel(process.channel());
    const std::vector payloads{bytes_of(std::string(50'000, 'b'))};
    // The process answers each before it takes the next, and we take none of the answers yet.
    constexpr int frames = 100;
    for (int i = 0; i < frames; ++i) {
        channel.send(bytes_of("echo").bytes(), payloads, Channel::Wait::no);
    }
    EXPECT_TRUE(channel.has_unsent());
    for (int i = 0; i < frames; ++i) {
        const auto received = channel.receive(Channel::Wait::yes);
        ASSERT_TRUE(received.frame);
        EXPECT_TRUE(received.frame->payloads == payloads);
        channel.flush();
    }
    EXPECT_FALSE(channel.has_unsent());
}

TEST_P(HostedTest, StartsCleanAndIsNotReusedByOthers) {
    auto first = host();
    auto second = host();
    EXPECT_NE(first.pid(), second.pid());
    EXPECT_EQ(::getpgid(first.pid()), first.pid());
    // 0 to 2, the channel, and the directory being listed.
    EXPECT_EQ(ask(second, "descriptors"), "5");
}

TEST_P(HostedTest, TakesItsGroupAlong) {
    auto process = host();
    const int child = std::stoi(ask(process, "child"));
    EXPECT_TRUE(runs(child));
    process.signal(SIGKILL);
    (void)process.wait_end();
    EXPECT_TRUE(ends_soon(child));
}

TEST_P(HostedTest, IsKilledWhenDropped) {
    std::optional<HostedProcess> process(host());
    const int pid = process->pid();
    EXPECT_EQ(ask(*process, "ignore SIGTERM"), "ignore SIGTERM");
    process->signal(SIGTERM);
    EXPECT_EQ(ask(*process, "echo"), "echo");
    process.reset();
    EXPECT_TRUE(ends_soon(pid));
}

TEST_P(HostedTest, EndsWithItsZygote) {
    auto process = host();
    ::kill(zygote_->pid(), SIGKILL);
    EXPECT_TRUE(ends_soon(process.pid()));
    EXPECT_FALSE(process.wait_end().is_known);
    EXPECT_FALSE(zygote_->host());
}

TEST_P(HostedTest, LeavesNoDescriptorBehind) {
    { auto first = host(); }
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 20; ++i) {
        (void)end_of("exit");
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST_P(HostedTest, MayUseSoMuchMemoryAndNoMore) {
    if (MEMORY_IS_SANITIZED) {
        GTEST_SKIP() << "a sanitizer's own memory counts as the process's";
    }
    for (const std::string what : {"greedy", "greedy child"}) {
        const auto end = end_of(what, 64_MiB);
        EXPECT_GT(end.memory_exceeded, 60_MiB) << what;
        EXPECT_LT(end.memory_exceeded, 640_MiB) << what;
        EXPECT_NE(describe(end, 64_MiB).find("exceeded its memory limit of 64 MiB"),
                  std::string::npos);
    }
    auto modest = host(64_MiB);
    EXPECT_EQ(ask(modest, "echo"), "echo");
    EXPECT_FALSE(modest.poll_end());
}

TEST_P(HostedTest, CommandsHaveLimitsToo) {
    if (MEMORY_IS_SANITIZED) {
        GTEST_SKIP() << "a sanitizer's own memory counts as the process's";
    }
    CommandSpec spec;
    spec.argv = {"sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"};
    auto process = zygote_->start(spec, 64_MiB).value_or_throw();
    const auto result = zygote_->wait(process);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("exceeded its memory limit of 64 MiB"), std::string::npos)
        << result.error().message;
    EXPECT_NE(result.error().message.find("command 'sh -c"), std::string::npos);
    CommandSpec modest;
    modest.argv = {"true"};
    auto other = zygote_->start(modest, 64_MiB).value_or_throw();
    EXPECT_TRUE(zygote_->wait(other).value_or_throw().ok());
}

INSTANTIATE_TEST_SUITE_P(Process,
                         HostedTest,
                         testing::Values(MemoryControl::kernel_or_watch, MemoryControl::watch),
                         [](const auto& made) {
                             return made.param == MemoryControl::watch ? "Watched" : "InCgroups";
                         });

TEST(MemoryWatch, LooksMoreOftenTheNearerTheLimit) {
    using namespace std::chrono_literals;
    MemoryWatch watch;
    MemoryWatch::Clock::time_point now{};
    EXPECT_FALSE(watch.next_look());
    watch.add(::getpid(), std::uint64_t{1} << 50, now);
    EXPECT_EQ(watch.next_look(), now + 2ms);
    now += 2ms;
    EXPECT_TRUE(watch.look(now).empty());
    EXPECT_EQ(watch.next_look(), now + 100ms);
    watch.remove(::getpid());
    const auto used = own_memory_bytes(::getpid());
    EXPECT_GT(used, 100'000U);
    watch.add(::getpid(), used + (std::uint64_t{200} << 20), now);
    now += 2ms;
    EXPECT_TRUE(watch.look(now).empty());
    EXPECT_GT(*watch.next_look(), now + 10ms);
    EXPECT_LT(*watch.next_look(), now + 30ms);
    watch.remove(::getpid());
    watch.add(::getpid(), 1000, now);
    EXPECT_TRUE(watch.look(now).empty()) << "not before its time";
    const auto found = watch.look(now + 2ms);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().pid, ::getpid());
    EXPECT_GT(found.front().used_bytes, 1000U);
}

TEST(MemoryWatch, SeesNothingOfAProcessThatHasEnded) {
    EXPECT_EQ(own_memory_bytes(0x7fff'fff0), 0U);
}

TEST(ErrorRelay, KeepsTheLastLines) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    UniqueFd writer(ends[1]);
    testing::internal::CaptureStderr();
    {
        ErrorRelay relay;
        const auto stream = relay.add(UniqueFd(ends[0]));
        const auto say = [&](const std::string& text) {
            ASSERT_EQ(::write(writer.get(), text.data(), text.size()),
                      static_cast<ssize_t>(text.size()));
        };
        EXPECT_EQ(stream->last_lines(), "");
        say("old\n");
        stream->forget();
        for (int i = 1; i <= 12; ++i) {
            say("line " + std::to_string(i) + "\n");
        }
        EXPECT_EQ(stream->last_lines(),
                  "line 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\nline 10\nline 11\n"
                  "line 12");
        say("without an end");
        EXPECT_EQ(stream->last_lines(), "without an end");
        writer.reset();
        EXPECT_EQ(stream->last_lines(), "");
    }
    const std::string seen = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(seen.starts_with("old\nline 1\n")) << seen;
    EXPECT_TRUE(seen.ends_with("line 12\nwithout an end")) << seen;
}

} // namespace
} // namespace muster::process
