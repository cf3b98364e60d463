// A rank's shared memory, and another process that reads it.

#include "arena/arena.hpp"
#include "arena/views.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace muster::arena {
namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

std::shared_ptr<Arena> arena_of(std::uint64_t bytes, std::uint64_t warm = mebibyte) {
    auto arena = Arena::make({.bytes_max = bytes, .warm_bytes_max = warm});
    if (arena == nullptr) {
        throw std::runtime_error(std::strerror(errno));
    }
    return arena;
}

/// What the arena's file takes of the machine's memory.
std::uint64_t held_bytes(const wire::SharedPlace& place) {
    struct stat status {};

    EXPECT_EQ(fstat(place.fd, &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

Buffer filled(Arena& arena, std::size_t size, unsigned value) {
    auto memory = arena.allocate(size);
    if (memory == nullptr) {
        return {};
    }
    std::memset(memory.get(), static_cast<int>(value), size);
    return {std::move(memory), size};
}

/// Runs `body` in a process of its own. @return its exit code.
template <class Body>
int in_a_process(Body body) {
    const pid_t process = fork();
    if (process == 0) {
        _exit(body());
    }
    int status = 0;
    EXPECT_EQ(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Arena, RangesEndAtALine) {
    const auto arena = arena_of(mebibyte);
    for (const std::size_t size : {1U, 63U, 64U, 65U, 4096U, 5000U}) {
        const auto memory = arena->allocate(size);
        ASSERT_NE(memory, nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.get() + size) % 64, 0U) << size;
    }
    EXPECT_EQ(arena->allocated_bytes(), 0U);
    EXPECT_EQ(arena->allocate(0), nullptr);
}

TEST(Arena, AnotherProcessReadsItWhereItLies) {
    const auto arena = arena_of(4 * mebibyte);
    Buffer value = filled(*arena, mebibyte + 5, 7);
    const auto place = arena->place_of(value);
    ASSERT_TRUE(place);
    const int code = in_a_process([&] {
        Views views;
        bool ended = false;
        {
            const auto seen = views.open(*place, [&] { ended = true; });
            if (!seen || seen->size() != value.size() ||
                seen->bytes().data() == value.bytes().data()) {
                return 1;
            }
            for (const std::byte byte : seen->bytes()) {
                if (byte != std::byte{7}) {
                    return 2;
                }
            }
            const Buffer copy = *seen;
            if (ended) {
                return 3;
            }
        }
        return ended ? 0 : 4;
    });
    EXPECT_EQ(code, 0);
}

TEST(Arena, WhatAnotherProcessReadsStaysWhenItsOwnIsGone) {
    int places[2];
    int go[2];
    ASSERT_EQ(pipe(places), 0);
    ASSERT_EQ(pipe(go), 0);
    const pid_t holder = fork();
    if (holder == 0) {
        const auto arena = arena_of(mebibyte);
        const Buffer value = filled(*arena, 100'000, 9);
        const auto place = *arena->place_of(value);
        char end = 0;
        const bool done =
            write(places[1], &place, sizeof(place)) == sizeof(place) && read(go[0], &end, 1) == 1;
        _exit(done ? 0 : 1);
    }
    wire::SharedPlace place;
    ASSERT_EQ(read(places[0], &place, sizeof(place)), static_cast<ssize_t>(sizeof(place)));
    Views views;
    const auto seen = views.open(place, [] {});
    ASSERT_TRUE(seen) << std::strerror(errno);
    ASSERT_EQ(kill(holder, SIGKILL), 0);
    ASSERT_EQ(waitpid(holder, nullptr, 0), holder);
    EXPECT_EQ(seen->bytes()[99'999], std::byte{9});
    EXPECT_FALSE(Views().open(place, [] {})); // nobody can find it any more
    for (const int fd : {places[0], places[1], go[0], go[1]}) {
        ::close(fd);
    }
}

TEST(Arena, OnlyTheArenaThatIsMeantIsRead) {
    const auto arena = arena_of(mebibyte);
    const Buffer value = filled(*arena, 100'000, 1);
    const auto place = *arena->place_of(value);
    Views views;
    const auto refused = [&](auto change) {
        auto other = place;
        change(other);
        bool ended = false;
        const bool none = !views.open(other, [&] { ended = true; });
        return none && !ended;
    };
    EXPECT_TRUE(refused([](auto& p) { ++p.nonce; }));
    EXPECT_TRUE(refused([](auto& p) { p.fd = 0; }));
    EXPECT_TRUE(refused([](auto& p) { p.fd = 10'000; }));
    EXPECT_TRUE(refused([](auto& p) { p.process = 1 << 30; }));
    EXPECT_TRUE(refused([](auto& p) { p.arena_bytes += 4096; }));
    EXPECT_TRUE(refused([](auto& p) { p.size = p.arena_bytes; }));
    EXPECT_TRUE(refused([](auto& p) { p.offset = ~std::uint64_t{0} - 10; }));
    EXPECT_TRUE(views.open(place, [] {}));
}

TEST(Arena, MemoryOfFreedRangesIsUsedAgainAndKeptUpToABound) {
    const auto arena = arena_of(8 * mebibyte, 2 * mebibyte);
    Buffer first = filled(*arena, 2 * mebibyte, 1);
    const auto place = *arena->place_of(first);
    const auto with_one = held_bytes(place);
    EXPECT_GE(with_one, 2 * mebibyte);
    first = {};
    first = filled(*arena, 2 * mebibyte, 2);
    EXPECT_EQ(arena->place_of(first)->offset, place.offset);
    EXPECT_EQ(held_bytes(place), with_one);
    Buffer second = filled(*arena, 2 * mebibyte, 3);
    EXPECT_GE(held_bytes(place), 4 * mebibyte);
    first = {};
    second = {};
    EXPECT_EQ(arena->allocated_bytes(), 0U);
    EXPECT_LE(held_bytes(place), 2 * mebibyte + 8192);
}

TEST(Arena, WhatDoesNotFitIsRefusedAndNothingIsLost) {
    const auto arena = arena_of(4 * mebibyte);
    Buffer most = filled(*arena, 3 * mebibyte, 1);
    ASSERT_FALSE(most.empty());
    EXPECT_EQ(arena->allocate(2 * mebibyte), nullptr);
    EXPECT_EQ(arena->allocate(~std::size_t{0}), nullptr);
    EXPECT_EQ(arena->allocated_bytes(), 3 * mebibyte);
    most = {};
    EXPECT_FALSE(filled(*arena, 4 * mebibyte, 2).empty());
}

TEST(Arena, ALimitOnFilesIsAnAnswerAndNoSignal) {
    const int limited = in_a_process([] {
        const struct rlimit files { mebibyte, mebibyte };

        if (setrlimit(RLIMIT_FSIZE, &files) != 0) {
            return 1;
        }
        return Arena::make({.bytes_max = 2 * mebibyte}) == nullptr && errno == EFBIG ? 0 : 2;
    });
    EXPECT_EQ(limited, 0);
}

TEST(Arena, NothingElseLiesInIt) {
    const auto arena = arena_of(mebibyte);
    EXPECT_FALSE(arena->place_of(Buffer()));
    const Buffer elsewhere(std::make_shared<std::byte[]>(100), 100);
    EXPECT_FALSE(arena->place_of(elsewhere));
    const Buffer value = filled(*arena, 1000, 1);
    const auto part = arena->place_of(value.slice(10, 20));
    ASSERT_TRUE(part);
    EXPECT_EQ(part->offset, arena->place_of(value)->offset + 10);
    EXPECT_EQ(part->size, 20U);
}

TEST(Arena, AValueOutlivesItsArenasOwner) {
    auto arena = arena_of(mebibyte);
    const Buffer value = filled(*arena, 100'000, 3);
    arena.reset();
    EXPECT_EQ(value.bytes()[50'000], std::byte{3});
}

TEST(Arena, ManyThreadsTakeAndFree) {
    const auto arena = arena_of(4 * mebibyte, mebibyte / 2);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            Random random(t);
            std::vector<Buffer> held;
            for (int i = 0; i < 500; ++i) {
                if (held.size() > 4) {
                    held.erase(held.begin());
                }
                Buffer value = filled(*arena, 1 + random.below(300'000), t);
                for (const std::byte byte : value.bytes()) {
                    ASSERT_EQ(byte, static_cast<std::byte>(t));
                }
                held.push_back(std::move(value));
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(arena->allocated_bytes(), 0U);
}

} // namespace
} // namespace muster::arena
