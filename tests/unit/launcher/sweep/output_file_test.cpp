#include "sweep/output_file.hpp"
#include "sweep/selection.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace muster::launcher::sweep {
namespace {

using ::testing::ElementsAre;

namespace fs = std::filesystem;

class OutputFiles : public ::testing::Test {
protected:
    OutputFiles() {
        std::string name = (fs::temp_directory_path() / "muster-output-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }

    ~OutputFiles() override { fs::remove_all(folder_); }

    /// Everything of one stream of an attempt.
    static std::string
    text(const OutputFolder& output, const OutputFolder::Attempt& attempt, Channel channel) {
        std::string text;
        output.read(attempt, [&](Channel of, std::string_view bytes) {
            if (of == channel) {
                text += bytes;
            }
        });
        return text;
    }

    static void finish(
        OutputWriter& writer, OutputId id, std::uint32_t attempt, int code, std::uint64_t begin) {
        writer.finish({.id = id, .attempt = attempt, .exit_code = code, .begin = begin});
    }

    fs::path folder_;
};

TEST_F(OutputFiles, GiveBackWhatEachCommandWroteThoughOthersWroteBetween) {
    OutputWriter writer(folder_, "run-0");
    const auto begin = writer.position();
    writer.write(1, 1, Channel::out, "a");
    writer.write(2, 1, Channel::out, "x");
    writer.write(1, 1, Channel::err, "error");
    writer.write(1, 1, Channel::out, std::string(3'000'000, 'b'));
    finish(writer, 2, 1, 3, begin);
    writer.write(1, 1, Channel::out, "c");
    finish(writer, 1, 1, 0, begin);

    OutputFolder output(folder_);
    EXPECT_EQ(output.refresh().size(), 2U);
    const auto& attempt = output.attempts().at(1).at(0);
    EXPECT_EQ(text(output, attempt, Channel::out), "a" + std::string(3'000'000, 'b') + "c");
    EXPECT_EQ(text(output, attempt, Channel::err), "error");
    EXPECT_EQ(output.attempts().at(2).at(0).entry.exit_code, 3);
    EXPECT_EQ(text(output, output.attempts().at(2).at(0), Channel::out), "x");
    EXPECT_TRUE(output.refresh().empty()) << "nothing new";
}

TEST_F(OutputFiles, LaterRunsAndAttemptsComeLast) {
    for (const auto& [run, attempt] :
         {std::pair("b-1", 2), std::pair("a-7", 1), std::pair("b-0", 1)}) {
        OutputWriter writer(folder_, run);
        writer.write(5, static_cast<std::uint32_t>(attempt), Channel::out, run);
        finish(writer, 5, static_cast<std::uint32_t>(attempt), 0, 0);
    }
    OutputFolder output(folder_);
    output.refresh();
    std::vector<std::string> texts;
    for (const auto& attempt : output.attempts().at(5)) {
        texts.push_back(text(output, attempt, Channel::out));
    }
    EXPECT_THAT(texts, ElementsAre("a-7", "b-0", "b-1"));
}

TEST_F(OutputFiles, AreFollowedWhileTheyGrow) {
    OutputWriter writer(folder_, "run-0");
    OutputFolder output(folder_);
    std::string seen;
    const auto look = [&] {
        output.read_new([&](const OutputFolder::Chunk& chunk) {
            seen += std::to_string(chunk.id) + (chunk.channel == Channel::end ? "!" : "") +
                    std::string(chunk.bytes) + " ";
        });
    };
    look();
    writer.write(1, 1, Channel::out, "a");
    look();
    OutputWriter other(folder_, "run-1");
    other.write(2, 1, Channel::out, "b");
    finish(writer, 1, 1, 7, 0);
    look();
    look();
    EXPECT_EQ(seen, "1a 1!7 2b ");
}

TEST_F(OutputFiles, OfAnyTruncationWhatIsWholeIsRead) {
    {
        OutputWriter writer(folder_, "run-0");
        writer.write(1, 1, Channel::out, "first");
        writer.write(1, 1, Channel::out, "second");
        finish(writer, 1, 1, 0, 0);
    }
    std::ifstream file(folder_ / "run-0.out", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::ifstream index_file(folder_ / "run-0.idx", std::ios::binary);
    const std::string index{std::istreambuf_iterator<char>(index_file), {}};
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        std::ofstream(folder_ / "run-0.out", std::ios::binary | std::ios::trunc)
            << bytes.substr(0, size);
        OutputFolder output(folder_);
        std::string seen;
        output.read_new([&](const OutputFolder::Chunk& chunk) { seen += chunk.bytes; });
        EXPECT_TRUE(std::string("firstsecond0").starts_with(seen)) << size;
        output.refresh(); // the index is whole, its file is not
        (void)text(output, output.attempts().at(1).at(0), Channel::out);
    }
    for (std::size_t i = 0; i < index.size(); ++i) {
        std::string damaged = index;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
        std::ofstream(folder_ / "run-0.idx", std::ios::binary | std::ios::trunc) << damaged;
        OutputFolder output(folder_);
        EXPECT_TRUE(output.refresh().empty()) << i;
    }
}

TEST(Selection, NamesCommandsByNumberRangeAndGroup) {
    const std::vector<std::string> groups{"prepare", "train"};
    const std::vector<std::string> words{"train:3", "7-9"};
    const Selection some(words, groups);
    EXPECT_TRUE(some.contains(output_id(1, 3)));
    EXPECT_FALSE(some.contains(output_id(1, 4)));
    EXPECT_TRUE(some.contains(output_id(0, 8)));
    EXPECT_FALSE(some.contains(output_id(0, 10)));
    EXPECT_FALSE(some.contains(output_id(1, 8)));
    const std::vector<std::string> whole{"train"};
    EXPECT_TRUE(Selection(whole, groups).contains(output_id(1, 999)));
    EXPECT_FALSE(Selection(whole, groups).contains(output_id(0, 999)));
    EXPECT_TRUE(Selection({}, groups).contains(output_id(0, 1)));
    for (const std::string word : {"0", "x", "3-1", "trian:1", "train:", "1-", ""}) {
        EXPECT_THROW(Selection(std::vector<std::string>{word}, groups), UsageError) << word;
    }
    EXPECT_EQ(name_of(output_id(1, 3), groups), "train:3");
    EXPECT_EQ(name_of(3, {""}), "3");
}

} // namespace
} // namespace muster::launcher::sweep
