#include "data/advise.hpp"
#include "data/sizes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::launcher::data {
namespace {

using muster::data::Column;
using muster::data::ElementType;
using muster::data::StorageLayout;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Column floats(std::vector<std::uint64_t> shape, std::vector<std::uint64_t> chunk) {
    Column column;
    column.name = "x";
    column.shape = std::move(shape);
    column.type = ElementType::float32;
    column.element_bytes = 4;
    column.layout = chunk.empty() ? StorageLayout::contiguous : StorageLayout::chunked;
    column.chunk = std::move(chunk);
    column.stored_bytes = column.rows() * column.row_bytes();
    return column;
}

TEST(Advice, ChunksOfWholeRowsNearOneMebibyteAreGood) {
    EXPECT_THAT(advise(floats({100'000, 256}, {1024, 256})), IsEmpty());
    EXPECT_THAT(advise(floats({10, 256}, {10, 256})), IsEmpty()) << "a short column has one chunk";
    EXPECT_THAT(advise(floats({50, 1024, 1024, 4}, {1, 1024, 1024, 4})), IsEmpty())
        << "a row that is larger has a chunk of its own";
}

TEST(Advice, NamesWhatIsWrongWithChunks) {
    EXPECT_THAT(advise(floats({100, 64, 64}, {10, 32, 32})),
                ElementsAre(HasSubstr("cut each row into 4 pieces")));
    EXPECT_THAT(advise(floats({100'000, 256}, {50'000, 256})),
                ElementsAre(HasSubstr("chunks have 48.8 MiB")));
    EXPECT_THAT(advise(floats({100'000, 256}, {1, 256})),
                ElementsAre(HasSubstr("chunks have 1.0 KiB only")));
}

TEST(Advice, NamesOtherThings) {
    EXPECT_THAT(advise(floats({100'000, 256}, {})), ElementsAre(HasSubstr("in one piece")));
    EXPECT_THAT(advise(floats({10, 256}, {})), IsEmpty()) << "so small that it does not matter";
    Column swapped = floats({10}, {10});
    swapped.is_swapped = true;
    EXPECT_THAT(advise(swapped), ElementsAre(HasSubstr("other order of bytes")));
    Column deflated = floats({100'000, 256}, {1024, 256});
    deflated.filters = {{1, "deflate", {4}}};
    EXPECT_THAT(advise(deflated), ElementsAre(HasSubstr("makes it no smaller")));
    deflated.stored_bytes /= 2;
    EXPECT_THAT(advise(deflated), IsEmpty());
}

TEST(Advice, ThereIsNoneForWhatHasNoRowsOrNoSize) {
    EXPECT_THAT(advise(Column{}), IsEmpty());
    EXPECT_THAT(advise(floats({0, 256}, {1, 256})), IsEmpty());
    Column text = floats({100'000}, {1});
    text.type = ElementType::string;
    text.element_bytes = 0;
    EXPECT_THAT(advise(text), IsEmpty());
}

TEST(InspectTexts, AreShortAndWhole) {
    EXPECT_EQ(filter_text({1, "deflate", {6}}), "deflate 6");
    EXPECT_EQ(filter_text({2, "shuffle", {4}}), "shuffle");
    EXPECT_EQ(shape_text({}), "one value");
    EXPECT_EQ(shape_text({3, 4}), "3 x 4");
    EXPECT_EQ(value_text({"a", std::vector<std::string>{"cat", "dog"}}), "[\"cat\", \"dog\"]");
    EXPECT_EQ(value_text({"a", std::vector<double>{1.5, 2}}), "[1.5, 2]");
    std::string umlauts;
    for (int i = 0; i < 40; ++i) {
        umlauts += "\xc3\xbc";
    }
    EXPECT_EQ(value_text({"a", umlauts}).size() % 2, 0)
        << "a quote, whole characters, and the sign";
    EXPECT_EQ(size_text(1), "1 byte");
    EXPECT_EQ(size_text(1023), "1023 bytes");
    EXPECT_EQ(size_text(1536), "1.5 KiB");
    EXPECT_EQ(size_text(3ULL << 30U), "3.0 GiB");
}

} // namespace
} // namespace muster::launcher::data
