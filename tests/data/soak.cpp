// 50 epochs in every order, with threads that read ahead: what is allocated and how many
// descriptors are open must be the same after the last as after the tenth.

#include "hdf5_fixtures.hpp"

#include <muster/data/batch_loader.hpp>

#include <malloc.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {

namespace data = muster::data;

constexpr std::uint64_t epochs = 50;
constexpr std::uint64_t settled = 10;
constexpr std::int64_t growth_bytes_max = 64 << 10;

struct Held {
    std::int64_t bytes = 0;
    std::int64_t descriptors = 0;
};

Held held() {
    const struct mallinfo2 heap = ::mallinfo2();
    return {static_cast<std::int64_t>(heap.uordblks + heap.hblkhd),
            std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {})};
}

/// @return whether nothing grew.
bool soak(const std::string& files, data::Order order, const char* name) {
    const std::vector columns{data::column<float>("x"), data::column<int>("y")};
    data::BatchLoader loader(
        data::Table::open(files, {.columns = columns, .memory_bytes_max = 8U << 20U}),
        columns,
        {.batch_size = 32, .order = order, .window_blocks = 2, .threads = 3, .epochs = epochs});
    Held before;
    std::uint64_t rows = 0;
    for (std::uint64_t step = 0; auto batch = loader.next(); ++step) {
        rows += batch->size();
        batch.reset();
        if (step + 1 == settled * loader.batches()) {
            before = held();
        }
    }
    const Held after = held();
    std::cout << name << ": " << rows << " rows; " << before.bytes << " bytes and "
              << before.descriptors << " descriptors after " << settled << " epochs, "
              << after.bytes << " and " << after.descriptors << " after " << epochs << '\n';
    return after.bytes - before.bytes <= growth_bytes_max &&
           after.descriptors == before.descriptors;
}

} // namespace

int main() {
    muster::test::Hdf5Fixtures fixtures;
    for (int i = 0; i < 6; ++i) {
        fixtures.write("part-" + std::to_string(i) + ".h5",
                       {{.name = "x",
                         .shape = {300, 1000},
                         .type = data::ElementType::float32,
                         .chunk = {70, 1000}},
                        {.name = "y", .shape = {300}}});
    }
    const std::string files = fixtures.path("part-*.h5").string();
    const bool is_flat = soak(files, data::Order::shuffled_by_block, "by block") &&
                         soak(files, data::Order::shuffled, "shuffled") &&
                         soak(files, data::Order::stored, "stored");
    return is_flat ? 0 : 1;
}
