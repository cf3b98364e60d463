#include "recorder/directory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <mutex>
#include <string>

/// Jobs of one process on one directory: locks are held by open files, so that is no different from
/// jobs of several.
namespace muster::recorder {
namespace {

using namespace std::chrono_literals;
using journal::Ledger;
using journal::RecordKind;

constexpr std::uint64_t shape = 5;

KeyDigest key(std::uint64_t number) {
    return {number, ~number};
}

TaskId task(std::uint64_t number) {
    return make_object_id(Rank{0}, number);
}

TimePoint now() {
    return std::chrono::steady_clock::now();
}

class Folder {
public:
    Folder() {
        std::string name = testing::TempDir() + "muster-journal-XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        path = name;
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    ~Folder() { std::filesystem::remove_all(path); }

    Path path;
};

struct Job {
    explicit Job(const Path& path, std::string version = "1", std::string boot = "") {
        auto opened =
            Directory::open({path, std::move(version), "here", std::move(boot), 1min}, ledger);
        if (opened) {
            directory = std::move(*opened);
        } else {
            refusal = opened.error().message;
        }
    }

    std::vector<TaskId> claim(std::size_t most = 1000) {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        EXPECT_TRUE(directory->claim(ledger, lock, most));
        return ledger.take_decisions().run;
    }

    /// Records what on_outcome() left to be recorded.
    std::string record() {
        auto entries = ledger.take_entries();
        const auto written =
            directory->append(entries, [&](const KeyDigest& done, const Location& location) {
                ledger.on_recorded(done, location);
            });
        return written ? "" : written.error().message;
    }

    std::string compute(std::uint64_t number, const Buffer& value) {
        ledger.want(task(number), key(number), shape);
        EXPECT_EQ(claim(), std::vector{task(number)});
        wire::Outcome outcome;
        outcome.value = value;
        ledger.on_outcome(task(number), key(number), outcome);
        return record();
    }

    [[nodiscard]] std::optional<Buffer> read(std::uint64_t number) const {
        const auto location = ledger.find(key(number));
        return location ? directory->read_value(key(number), *location) : std::nullopt;
    }

    void end() {
        std::vector<Ledger::Entry> entries{{RecordKind::end, {}, 0, {}}};
        EXPECT_TRUE(directory->append(entries, [](const auto&, const auto&) {}));
        directory.reset();
    }

    Ledger ledger;
    std::unique_ptr<Directory> directory;
    std::string refusal;
};

Buffer bytes_of(std::size_t size) {
    return Buffer::copy_of(std::vector<std::byte>(size, std::byte{0x5a}));
}

TEST(Directory, FindsWhatEarlierJobsRecordedWhateverItsSize) {
    const Folder folder;
    const std::vector<std::size_t> sizes{0, 1, 100, 70'000, 5'000'000, 9'000'000, 3};
    for (int round = 0; round < 2; ++round) {
        Job job(folder.path);
        ASSERT_EQ(job.refusal, "");
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            if (round == 0) {
                EXPECT_EQ(job.compute(i, bytes_of(sizes[i])), "");
            }
            ASSERT_TRUE(job.read(i)) << i;
            EXPECT_EQ(*job.read(i), bytes_of(sizes[i]));
        }
        EXPECT_EQ(job.directory->contents().results, round == 0 ? 0 : sizes.size());
        EXPECT_EQ(job.directory->contents().damaged_bytes, 0U);
    }
}

TEST(Directory, JobsSeeWhatOthersClaimAndRecord) {
    const Folder folder;
    Job first(folder.path);
    Job second(folder.path);
    for (std::uint64_t i = 1; i <= 4; ++i) {
        first.ledger.want(task(i), key(i), shape);
        second.ledger.want(task(i), key(i), shape);
    }
    EXPECT_EQ(first.claim(2), (std::vector{task(1), task(2)}));
    EXPECT_EQ(second.claim(1), std::vector{task(3)});
    EXPECT_EQ(first.claim(), std::vector{task(4)});
    EXPECT_TRUE(second.claim().empty());
    EXPECT_EQ(second.ledger.waited_for(), (std::map<JobNumber, std::uint64_t>{{1, 3}}));

    wire::Outcome outcome;
    outcome.value = bytes_of(9);
    first.ledger.on_outcome(task(2), key(2), outcome);
    EXPECT_EQ(first.record(), "");
    second.directory->look(now(), second.ledger);
    const auto decided = second.ledger.take_decisions();
    ASSERT_EQ(decided.reads.size(), 1U);
    EXPECT_EQ(decided.reads[0].task, task(2));
    EXPECT_EQ(second.directory->read_value(key(2), decided.reads[0].location), bytes_of(9));

    // The first is gone without a word: its lock is.
    first.directory.reset();
    second.directory->look(now(), second.ledger);
    EXPECT_EQ(second.claim(), (std::vector{task(1), task(4)}));
}

TEST(Directory, AJobThatHasEndedClaimsNothing) {
    const Folder folder;
    Job first(folder.path, "1", "another boot");
    first.ledger.want(task(1), key(1), shape);
    EXPECT_EQ(first.claim().size(), 1U);
    Job second(folder.path);
    second.ledger.want(task(1), key(1), shape);
    EXPECT_TRUE(second.claim().empty());
    first.end();
    second.directory->look(now(), second.ledger);
    EXPECT_EQ(second.claim().size(), 1U);
}

TEST(Directory, OfAJobOnAnotherNodeSilenceIsTheSign) {
    const Folder folder;
    Job first(folder.path, "1", "another boot");
    first.ledger.want(task(1), key(1), shape);
    EXPECT_EQ(first.claim().size(), 1U);
    Job second(folder.path);
    second.ledger.want(task(1), key(1), shape);
    auto time = now();
    for (int i = 0; i < 50; ++i, time += 5s) {
        if (i % 5 == 0) {
            first.directory->show_life();
        }
        second.directory->look(time, second.ledger);
        EXPECT_TRUE(second.claim().empty()) << i;
    }
    first.directory.reset(); // its lock says nothing to another node
    for (int i = 0; i < 20; ++i, time += 5s) {
        second.directory->look(time, second.ledger);
    }
    EXPECT_EQ(second.claim().size(), 1U);
}

TEST(Directory, AloneItRemovesOldClaimsButTheLatest) {
    const Folder folder;
    const auto batches = [&] { return *list_numbers(folder.path / "claims"); };
    {
        Job job(folder.path);
        for (std::uint64_t i = 0; i < 5; ++i) {
            EXPECT_EQ(job.compute(i, bytes_of(1)), "");
        }
        EXPECT_EQ(batches().size(), 5U);
        const Job other(folder.path);
        EXPECT_EQ(batches().size(), 5U) << "somebody lives";
    }
    Job job(folder.path);
    EXPECT_EQ(batches(), std::vector{5U});
    EXPECT_EQ(job.compute(9, bytes_of(1)), "");
    EXPECT_EQ(batches(), (std::vector{5U, 6U}));
}

TEST(Directory, AnotherVersionIsRefusedAndNothingChanged) {
    const Folder folder;
    { const Job job(folder.path, "1"); }
    const Job other(folder.path, "2");
    EXPECT_NE(other.refusal.find("version \"1\""), std::string::npos) << other.refusal;
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path / "segments"),
                            std::filesystem::directory_iterator()),
              1);
}

TEST(Directory, AnEmptySegmentIsPassedOver) {
    const Folder folder;
    std::filesystem::create_directories(folder.path / "segments");
    std::ofstream(folder.path / "segments" / "000001");
    Job job(folder.path);
    EXPECT_EQ(job.refusal, "");
    EXPECT_EQ(job.compute(1, bytes_of(1)), "");
}

TEST(Directory, AfterAFailedWriteWhatWasWrittenIsWhole) {
    const Folder folder;
    {
        Job job(folder.path);
        EXPECT_EQ(job.compute(1, bytes_of(1'000)), "");
        std::signal(SIGXFSZ, SIG_IGN);
        ::rlimit before{};
        ::getrlimit(RLIMIT_FSIZE, &before);
        const ::rlimit small{2'000, before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
        const auto small_error = job.compute(2, bytes_of(1'500));
        ::setrlimit(RLIMIT_FSIZE, &before);
        std::signal(SIGXFSZ, SIG_DFL);
        EXPECT_NE(small_error.find("segments/000001: File too large (EFBIG)"), std::string::npos)
            << small_error;
    }
    Job again(folder.path);
    EXPECT_EQ(again.directory->contents().damaged_bytes, 0U);
    EXPECT_EQ(again.read(1), bytes_of(1'000));
    EXPECT_FALSE(again.read(2));
}

TEST(Directory, AValueThatIsDamagedLaterIsNotThere) {
    const Folder folder;
    Job job(folder.path);
    EXPECT_EQ(job.compute(1, bytes_of(1'000)), "");
    const auto file = folder.path / "segments" / "000001";
    std::fstream(file, std::ios::in | std::ios::out | std::ios::binary)
        .seekp(static_cast<std::streamoff>(std::filesystem::file_size(file)) - 10)
        .put('!');
    EXPECT_FALSE(job.read(1));
    std::filesystem::resize_file(file, 100);
    EXPECT_FALSE(job.read(1));
}

} // namespace
} // namespace muster::recorder
