#include "digits_sweep/digits_data.hpp"
#include "hdf5_fixtures.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>

namespace digits {
namespace {

using muster::data::ElementType;
using testing::AllOf;
using testing::HasSubstr;

TEST(DigitsData, SplitsTheDigitsEvenlyByLabel) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    EXPECT_EQ(data->rows(Part::training).size(), 3500U);
    EXPECT_EQ(data->rows(Part::validation).size(), 500U);
    EXPECT_EQ(data->rows(Part::training_and_validation).size(), 4000U);
    EXPECT_EQ(data->rows(Part::test).size(), 1000U);
    for (const Part part : {Part::training, Part::validation, Part::test}) {
        const Images images = data->read(part);
        for (std::uint8_t label = 0; label < 10; ++label) {
            EXPECT_EQ(std::count(images.labels.begin(), images.labels.end(), label),
                      static_cast<std::ptrdiff_t>(images.labels.size() / 10));
        }
        const auto [least, most] = std::minmax_element(images.images.begin(), images.images.end());
        EXPECT_EQ(*least, 0.0F);
        EXPECT_NEAR(*most, 1.0F, 1e-6);
    }
}

TEST(DigitsData, KeepsTestImagesOutOfTraining) {
    const auto data = DigitsData::open(MNIST_FILE, 2);
    std::vector<std::uint64_t> all = data->rows(Part::training_and_validation);
    const std::vector<std::uint64_t>& test = data->rows(Part::test);
    all.insert(all.end(), test.begin(), test.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
    EXPECT_EQ(all.size(), 5000U);
}

TEST(DigitsData, IsSharedOutInPiecesThatAreTheWhole) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    std::size_t images = 0;
    std::array<std::ptrdiff_t, 10> labels{};
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
        const Images piece = data->read(Part::validation, {.rank = rank, .world = 3});
        EXPECT_NEAR(static_cast<double>(piece.labels.size()), 500.0 / 3, 1);
        EXPECT_EQ(piece.images.size(), piece.labels.size() * 28 * 28);
        images += piece.labels.size();
        for (const std::uint8_t label : piece.labels) {
            ++labels.at(label);
        }
    }
    EXPECT_EQ(images, 500U);
    EXPECT_THAT(labels, testing::Each(50));
}

TEST(DigitsData, IsOpenedOncePerFileAndSeedWhoeverAsks) {
    std::array<std::shared_ptr<const DigitsData>, 4> opened;
    {
        std::vector<std::jthread> threads;
        for (auto& data : opened) {
            threads.emplace_back([&data] { data = DigitsData::open(MNIST_FILE, 3); });
        }
    }
    for (const auto& data : opened) {
        EXPECT_EQ(data, opened[0]);
    }
    EXPECT_NE(DigitsData::open(MNIST_FILE, 4), opened[0]);
}

class BadDigits : public testing::Test {
protected:
    static std::string opening(const std::filesystem::path& file) {
        try {
            static_cast<void>(DigitsData::open(file.string(), 1));
        } catch (const muster::Error& error) {
            return error.what();
        }
        return "nothing was thrown";
    }

    muster::test::Hdf5Fixtures fixtures;
};

TEST_F(BadDigits, AFileOfOtherThingsIsRefusedEachTime) {
    EXPECT_THAT(opening(fixtures.path("none.h5")), HasSubstr("No such file"));
    EXPECT_THAT(opening(fixtures.write(
                    "flat.h5",
                    {{.name = "images", .shape = {50, 784}}, {.name = "labels", .shape = {50}}})),
                HasSubstr("rows of 28 x 28 are needed"));
    EXPECT_THAT(opening(fixtures.path("none.h5")), HasSubstr("No such file"));
}

TEST_F(BadDigits, AFailureIsNotRemembered) {
    EXPECT_THAT(opening(fixtures.path("late.h5")), HasSubstr("No such file"));
    fixtures.write_digits("late.h5", 20);
    EXPECT_EQ(opening(fixtures.path("late.h5")), "nothing was thrown");
}

TEST_F(BadDigits, TooFewImagesAreRefused) {
    EXPECT_THAT(opening(fixtures.write_digits("few.h5", 9)),
                AllOf(HasSubstr("few.h5' has 9 images"), HasSubstr("at least 10")));
    EXPECT_THAT(opening(fixtures.write_digits("none.h5", 0)), HasSubstr("has 0 images"));
}

TEST_F(BadDigits, LabelsBeyondNineAreRefusedWithTheirRow) {
    const auto file = fixtures.write(
        "letters.h5",
        {{.name = "images", .shape = {30, 28, 28}}, {.name = "labels", .shape = {30}, .first = 5}});
    EXPECT_THAT(opening(file),
                AllOf(HasSubstr("row 5 of dataset 'labels' is 10"), HasSubstr("0 to 9")));
}

} // namespace
} // namespace digits
