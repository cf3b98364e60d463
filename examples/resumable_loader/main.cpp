// Training that goes on where a job left off needs one number: the steps that were done. The next
// job may have more ranks or fewer; the batches are those that would have come.

#include <muster/core/muster.hpp>
#include <muster/data/batch_loader.hpp>

#include <array>
#include <cstdint>
#include <iostream>
#include <vector>

namespace data = muster::data;

/// What a job leaves behind: with a real model, its weights beside the step.
struct Checkpoint {
    std::uint64_t step = 0;
    std::uint64_t model = 0;
};

/// Trains so many steps, as one of the ranks of a job.
Checkpoint train(muster::Communicator& ranks, Checkpoint checkpoint, int steps) {
    const std::vector columns{data::column<float>("images", {{28, 28}}),
                              data::column<std::uint8_t>("labels", {{}})};
    data::BatchLoader loader(data::Table::open(DIGITS_DATA_FILE, {.columns = columns}),
                             columns,
                             {.batch_size = 64,
                              .seed = 1,
                              .shard = {.rank = static_cast<std::uint32_t>(ranks.rank()),
                                        .world = static_cast<std::uint32_t>(ranks.size())},
                              // Each chunk of the file is decoded once an epoch.
                              .order = data::Order::shuffled_by_block,
                              .window_blocks = 8,
                              .first_step = checkpoint.step});
    for (int i = 0; i < steps; ++i) {
        const auto batch = loader.next();
        // The gradient, as far as this example has one: a sum over the batches of all ranks.
        std::array<std::uint64_t, 1> gradient{};
        const auto images = batch->column<float>("images");
        const auto labels = batch->column<std::uint8_t>("labels");
        for (std::size_t image = 0; image < batch->size(); ++image) {
            gradient[0] += labels[image] * static_cast<std::uint64_t>(images[image * 784 + 400]);
        }
        ranks.all_reduce(std::span<std::uint64_t>(gradient));
        checkpoint.model = 31 * checkpoint.model + gradient[0]; // depends on the order of batches
        ++checkpoint.step;
    }
    return checkpoint;
}

int main(int argc, char** argv) {
    return muster::run(argc,
                       argv,
                       [] {
                           const auto job = [](int ranks, Checkpoint from, int steps) {
                               return muster::task<&train>.with({.cpus = 0, .ranks = ranks})(from, steps).get().front();
                           };
                           const Checkpoint uninterrupted = job(1, {}, 200);

                           Checkpoint
                               resumed; // an epoch has 79 steps: each job ends in the middle of one
                           for (const int ranks : {1, 3, 2}) {
                               const int steps = ranks == 2 ? 50 : 75;
                               resumed = job(ranks, resumed, steps);
                               std::cout << "step " << resumed.step << " with " << ranks << " rank"
                                         << (ranks == 1 ? "" : "s") << '\n';
                           }
                           std::cout
                               << (resumed.model == uninterrupted.model ? "the same" : "another")
                               << " model as without a break\n";
                       });
}
