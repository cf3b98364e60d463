// Rows through a pipeline: read, computed with, grouped, sorted, and handed out in shuffled
// batches.

#include <muster/core/muster.hpp>
#include <muster/pipeline/pipeline.hpp>

#include <cstdint>
#include <iostream>
#include <numeric>
#include <vector>

namespace data = muster::data;

/// How much ink each image has, of 0 to 1.
data::Block add_ink(const data::Block& images, float scale) {
    const auto pixels = images.column<std::uint8_t>("images");
    const std::size_t width = images.field("images").elements();
    std::vector<float> ink;
    for (std::size_t i = 0; i < pixels.size(); i += width) {
        const auto image = pixels.subspan(i, width);
        ink.push_back(scale * static_cast<float>(std::accumulate(image.begin(), image.end(), 0)));
    }
    return data::Block(images).add("ink", ink);
}

bool is_blank(const data::Row& row, float limit) {
    return row.get<float>("ink") < limit;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        // Nothing is read yet: a pipeline says what is to be done.
        const auto images = data::read(DIGITS_DATA_FILE)
                                .with({.block_bytes = 500'000})
                                .map_batches<&add_ink>(1.0F / (255 * 28 * 28));

        images.group_by("labels")
            .aggregate({data::count(), data::mean("ink"), data::max("ink")})
            .sort({data::descending("mean(ink)")})
            .show(3);

        std::cout << images.filter<&is_blank>(0.03F).count() << " images are nearly blank\n";

        // To train with: another order for each seed, the same on any number of ranks.
        const auto [train, test] = images.random_shuffle(1).train_test_split(0.2);
        std::uint64_t batches = 0;
        std::uint64_t ones = 0;
        for (const data::Block& batch : train.random_shuffle(2).iter_batches(256)) {
            ++batches;
            for (const auto label : batch.column<std::uint8_t>("labels")) {
                ones += label == 1 ? 1 : 0;
            }
        }
        std::cout << batches << " batches to train with, " << ones << " ones in them; "
                  << test.count() << " images to test with\n";
    });
}
