// Any number of readers share the batches of one global order: the same batches for 1, 2 or 3 of
// them, each image once per epoch. A reader finds its piece of a step without asking anybody.

#include <muster/core/muster.hpp>
#include <muster/data/batch_loader.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

namespace data = muster::data;

/// A reader's piece of some steps, counted over all epochs.
std::vector<std::uint8_t>
labels(std::uint32_t reader, std::uint32_t readers, int first, int count) {
    const std::vector columns{data::column<std::uint8_t>("labels", {{}})};
    data::BatchLoader loader(data::Table::open(DIGITS_DATA_FILE, {.columns = columns}),
                             columns,
                             {.batch_size = 64,
                              .seed = 1,
                              .shard = {.rank = reader, .world = readers},
                              .first_step = static_cast<std::uint64_t>(first)});
    std::vector<std::uint8_t> all;
    for (int step = 0; step < count; ++step) {
        const auto batch = loader.next();
        const auto piece = batch->column<std::uint8_t>("labels");
        all.insert(all.end(), piece.begin(), piece.end());
    }
    return all;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        for (std::uint32_t readers = 1; readers <= 3; ++readers) {
            std::vector<muster::Future<std::vector<std::uint8_t>>> batch;
            std::vector<muster::Future<std::vector<std::uint8_t>>> epoch;
            for (std::uint32_t reader = 0; reader < readers; ++reader) {
                batch.push_back(muster::task<&labels>(reader, readers, 1000, 1));
                epoch.push_back(muster::task<&labels>(reader, readers, 0, 79)); // 5000 images
            }
            std::string digits;
            for (auto& piece : batch) {
                for (const auto label : piece.get()) {
                    digits += static_cast<char>('0' + label);
                }
            }
            std::array<int, 10> counts{};
            for (auto& piece : epoch) {
                for (const auto label : piece.get()) {
                    ++counts[label];
                }
            }
            std::cout << "readers: " << readers << "; step 1000: " << digits.substr(0, 20)
                      << "...; sevens in an epoch: " << counts[7] << '\n';
        }
    });
}
