// What functions of a pipeline are granted is what they see. The run has one rank, and two GPUs of
// which only the names are true.

#include <muster/core/muster.hpp>
#include <muster/pipeline/pipeline.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <set>
#include <string>

namespace muster::data {
namespace {

std::vector<std::string> gpus_seen(std::size_t rows) {
    std::string names;
    for (const auto& gpu : this_task().gpus()) {
        names += (names.empty() ? "" : ",") + std::string(gpu);
    }
    return std::vector<std::string>(rows, names);
}

Block note_gpus(const Block& block) {
    return Block(block).add("gpus", gpus_seen(block.rows()));
}

class Noting {
public:
    Block operator()(const Block& block) { return note_gpus(block); }
};

class PipelineGranted : public testing::Test {
protected:
    void SetUp() override { ::setenv("CUDA_VISIBLE_DEVICES", "3,5", 1); }

    void TearDown() override { ::unsetenv("CUDA_VISIBLE_DEVICES"); }

    static void in_run(const std::function<void()>& driver) {
        EXPECT_EQ(run(0, nullptr, driver), 0);
    }

    static std::set<std::string> seen_by(const Pipeline& pipeline) {
        std::set<std::string> seen;
        for (const Block& block : pipeline.iter_blocks()) {
            for (std::uint64_t row = 0; row < block.rows(); ++row) {
                seen.insert(std::string(block.texts("gpus")[row]));
            }
        }
        return seen;
    }
};

TEST_F(PipelineGranted, AFunctionHasTheGpusThatWereAskedForItAndOthersHaveNone) {
    in_run([] {
        const auto rows = range(1000).with({.block_bytes = 800});
        EXPECT_EQ(seen_by(rows.map_batches<&note_gpus>()), (std::set<std::string>{""}));
        const auto one = seen_by(rows.map_batches_with<&note_gpus>({.cpus = 0, .gpus = 1}));
        EXPECT_FALSE(one.empty());
        for (const std::string& gpus : one) {
            EXPECT_TRUE(gpus == "3" || gpus == "5") << gpus;
        }
        EXPECT_EQ(seen_by(rows.map_batches_with<&note_gpus>({.cpus = 0, .gpus = 2})),
                  (std::set<std::string>{"3,5"}));
    });
}

TEST_F(PipelineGranted, EachObjectOfAClassHasAGpuOfItsOwn) {
    in_run([] {
        const auto seen = seen_by(range(1000)
                                      .with({.block_bytes = 800})
                                      .map_batches<Noting>({.cpus = 0, .gpus = 1, .actors = 2}));
        EXPECT_EQ(seen, (std::set<std::string>{"3", "5"}));
    });
}

TEST_F(PipelineGranted, MoreThanThereIsIsAnErrorThatSaysWhatThereIs) {
    in_run([] {
        try {
            (void)range(10).map_batches_with<&note_gpus>({.cpus = 0, .gpus = 4}).count();
            ADD_FAILURE() << "nothing was thrown";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::infeasible);
            EXPECT_THAT(error.what(),
                        testing::AllOf(testing::HasSubstr("4 gpus"), testing::HasSubstr("2")));
        }
    });
}

} // namespace
} // namespace muster::data
