#include "trace/tracer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace muster::trace {
namespace {

class Traced : public ::testing::Test {
protected:
    Traced() {
        std::string pattern = (std::filesystem::temp_directory_path() / "tracer-XXXXXX").string();
        directory = ::mkdtemp(pattern.data());
    }

    ~Traced() override { std::filesystem::remove_all(directory); }

    std::unique_ptr<Tracer> open(std::int32_t rank = 0) {
        return Tracer::open(
                   directory.string() + "/deep/er", {.run_id = 7, .rank = rank}, {{0, "f"}})
            .value_or_throw();
    }

    struct Content {
        std::map<std::uint32_t, std::vector<Record>> lanes;
        look::Names names;
        bool complete = false;
        std::string damage;
    };

    Content read() const {
        Content content;
        std::ifstream file(directory / "deep/er/0000000000000007-000000.mtrace", std::ios::binary);
        look::TraceReader reader(file);
        while (auto block = reader.next()) {
            if (block->type == look::BlockType::records) {
                const auto records = block->records();
                auto& lane = content.lanes[block->lane];
                lane.insert(lane.end(), records.begin(), records.end());
            } else if (block->type == look::BlockType::names) {
                const auto names = look::decode_names(block->content).value();
                content.names.insert(content.names.end(), names.begin(), names.end());
            }
        }
        content.complete = reader.complete();
        content.damage = reader.damage();
        return content;
    }

    std::filesystem::path directory;
};

TEST_F(Traced, AllThatThreadsNoteIsThereInTheOrderOfEach) {
    constexpr std::uint64_t records = 3 * Chunk::records_max + 5;
    {
        const auto tracer = open();
        std::vector<std::jthread> threads;
        for (std::uint64_t t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (std::uint64_t i = 0; i < records; ++i) {
                    tracer->lane()->add({.event = Event::ran, .id = t, .value = i});
                }
            });
        }
    }
    const Content content = read();
    EXPECT_TRUE(content.complete);
    ASSERT_EQ(content.lanes.size(), 4U);
    std::set<std::uint64_t> threads;
    for (const auto& [number, lane] : content.lanes) {
        ASSERT_EQ(lane.size(), records);
        threads.insert(lane.front().id);
        for (std::uint64_t i = 0; i < records; ++i) {
            ASSERT_EQ(lane[i].value, i);
            ASSERT_EQ(lane[i].id, lane.front().id);
        }
    }
    EXPECT_EQ(threads.size(), 4U);
}

TEST_F(Traced, WhatHasBeenNotedIsWrittenByAFlush) {
    const auto tracer = open();
    tracer->set_running([] { return std::vector<Record>{{.event = Event::runs, .id = 9}}; });
    Lane* const lane = tracer->lane();
    const std::uint32_t number = lane->number_of("a name");
    EXPECT_EQ(lane->number_of("a name"), number);
    EXPECT_NE(lane->number_of("another"), number);
    lane->add({.event = Event::ran, .number = number, .id = 1});
    tracer->flush(std::chrono::seconds{30});
    Content content = read();
    EXPECT_FALSE(content.complete);
    EXPECT_EQ(content.damage, "");
    ASSERT_EQ(content.lanes[1].size(), 1U);
    ASSERT_EQ(content.lanes[0].size(), 1U);
    EXPECT_EQ(content.lanes[0][0].id, 9U);
    EXPECT_EQ(content.names.size(), 3U);
    lane->add({.event = Event::ran, .id = 2}); // into the chunk of which a part is written
    tracer->forget_running();
    tracer->flush(std::chrono::seconds{30});
    content = read();
    ASSERT_EQ(content.lanes[1].size(), 2U);
    EXPECT_EQ(content.lanes[0].size(), 1U);
}

TEST_F(Traced, AnotherTracerHasOtherLanesThoughTheThreadIsTheSame) {
    auto first = open();
    Lane* const lane = first->lane();
    EXPECT_EQ(first->lane(), lane);
    const auto second = open(1);
    EXPECT_NE(second->lane(), lane);
    second->lane()->add({});
    first.reset();
    EXPECT_TRUE(read().lanes.empty());
}

TEST_F(Traced, AFileThatIsThereIsNotOverwritten) {
    const auto tracer = open();
    const auto again = Tracer::open(directory.string() + "/deep/er", {.run_id = 7, .rank = 0}, {});
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().message.find("File exists"), std::string::npos);
}

} // namespace
} // namespace muster::trace
