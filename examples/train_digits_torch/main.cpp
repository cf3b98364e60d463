// A convolutional net of LibTorch learns handwritten digits on all ranks at once: each takes its
// piece of every batch, and the weights are those of one rank with whole batches.
//
//     train_digits_torch [--epochs 8] [--checkpoint file]
//
// With --checkpoint it goes on where an earlier run was killed, on any number of ranks.

#include <muster/core/muster.hpp>
#include <muster/data/batch_loader.hpp>
#include <muster/data/split.hpp>
#include <muster/torch/distributed_data_parallel.hpp>

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace data = muster::data;
namespace nn = torch::nn;

namespace {

constexpr std::uint64_t batch_size = 50;
constexpr std::uint64_t steps_between_checkpoints = 30;

struct NetImpl : nn::Module {
    torch::Tensor forward(const torch::Tensor& images) {
        auto x = torch::relu(torch::max_pool2d(conv1(images), 2)); // 8 x 12 x 12
        x = torch::relu(torch::max_pool2d(conv2(x), 2));           // 16 x 4 x 4
        return fc2(torch::relu(fc1(x.flatten(1))));
    }

    nn::Conv2d conv1 = register_module("conv1", nn::Conv2d(1, 8, 5));
    nn::Conv2d conv2 = register_module("conv2", nn::Conv2d(8, 16, 5));
    nn::Linear fc1 = register_module("fc1", nn::Linear(256, 64));
    nn::Linear fc2 = register_module("fc2", nn::Linear(64, 10));
};

TORCH_MODULE(Net);

struct Options {
    std::uint64_t epochs = 8;
    std::string checkpoint; ///< A file; empty: none.
};

struct Digits {
    Digits() {
        std::vector<std::int64_t> labels(table.rows());
        table.read_rows("labels", 0, table.rows(), std::span(labels));
        const auto test = labels.size() / 5;
        const std::vector<data::PartSize> sizes{{"train", labels.size() - test}, {"test", test}};
        parts = data::stratified_split(labels, sizes, /*seed=*/1);
    }

    std::vector<data::ColumnSpec> columns{data::column<float>("images", {{28, 28}}),
                                          data::column<std::int64_t>("labels", {{}})};
    data::Table table = data::Table::open(DIGITS_DATA_FILE, {.columns = columns});
    std::vector<data::Part> parts;
};

/// The batch's own memory, scaled in place.
torch::Tensor images_of(data::Batch& batch) {
    const auto pixels = batch.column<float>("images");
    const auto count = static_cast<std::int64_t>(batch.size());
    return torch::from_blob(pixels.data(), {count, 1, 28, 28}).mul_(1.0 / 255);
}

torch::Tensor labels_of(data::Batch& batch) {
    const auto labels = batch.column<std::int64_t>("labels");
    return torch::from_blob(
        labels.data(), {static_cast<std::int64_t>(labels.size())}, torch::kLong);
}

/// Correct answers on this member's share of the images to test with, added up over all.
std::uint64_t correct_answers(muster::Communicator& ranks, const Digits& digits, Net& net) {
    const torch::NoGradGuard no_grad;
    const auto rank = static_cast<std::uint32_t>(ranks.rank());
    const auto world = static_cast<std::uint32_t>(ranks.size());
    const data::BatchLoader loader(digits.table,
                                   digits.columns,
                                   {.rows = digits.parts[1].rows,
                                    .batch_size = digits.parts[1].rows.size(),
                                    .shard = {.rank = rank, .world = world},
                                    .threads = 0});
    data::Batch batch = loader.read(0);
    const auto answers = net->forward(images_of(batch)).argmax(1);
    auto correct = answers.eq(labels_of(batch)).sum().item<std::int64_t>();
    ranks.all_reduce(std::span(&correct, 1));
    return static_cast<std::uint64_t>(correct);
}

/// Written beside its name and moved there when it is complete: a run that is killed meanwhile
/// leaves the one before.
void save(const std::string& file, const Net& net, torch::optim::Adam& adam, std::uint64_t step) {
    torch::serialize::OutputArchive archive;
    torch::serialize::OutputArchive of_net;
    torch::serialize::OutputArchive of_optimizer;
    net->save(of_net);
    adam.save(of_optimizer);
    archive.write("net", of_net);
    archive.write("optimizer", of_optimizer);
    archive.write("step", torch::tensor(static_cast<std::int64_t>(step)));
    archive.save_to(file + ".part");
    std::filesystem::rename(file + ".part", file);
}

std::uint64_t load(const std::string& file, Net& net, torch::optim::Adam& adam) {
    torch::serialize::InputArchive archive;
    torch::serialize::InputArchive of_net;
    torch::serialize::InputArchive of_optimizer;
    archive.load_from(file);
    archive.read("net", of_net);
    archive.read("optimizer", of_optimizer);
    net->load(of_net);
    adam.load(of_optimizer);
    torch::Tensor step;
    archive.read("step", step);
    return static_cast<std::uint64_t>(step.item<std::int64_t>());
}

/// One member's part. @return the correct answers to 1000 images that it was not trained with.
std::uint64_t train(muster::Communicator& ranks, const Options& options) {
    torch::set_num_threads(1); // ranks fill the cores
    torch::manual_seed(1);
    const Digits digits;
    muster::train::DistributedDataParallel net(ranks, Net());
    torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(2e-3));
    std::uint64_t step = 0;
    if (!options.checkpoint.empty() && std::filesystem::exists(options.checkpoint)) {
        Net module = net.module(); // a handle: the same module
        step = load(options.checkpoint, module, adam);
    }
    const auto rank = static_cast<std::uint32_t>(ranks.rank());
    data::BatchLoader loader(
        digits.table,
        digits.columns,
        {.rows = digits.parts[0].rows,
         .batch_size = batch_size,
         .seed = 1,
         .shard = {.rank = rank, .world = static_cast<std::uint32_t>(ranks.size())},
         .threads = 1,
         .first_step = step,
         .epochs = options.epochs});
    if (rank == 0) {
        std::cout << "training from step " << step << " on " << ranks.size() << " ranks\n";
    }
    while (auto batch = loader.next()) {
        adam.zero_grad();
        auto loss = nn::functional::cross_entropy(net(images_of(*batch)), labels_of(*batch));
        loss.backward(); // gradients are those of the whole batch
        adam.step();
        ++step;
        if (rank == 0 && !options.checkpoint.empty() && step % steps_between_checkpoints == 0) {
            save(options.checkpoint, net.module(), adam, step);
        }
    }
    Net module = net.module();
    return correct_answers(ranks, digits, module);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        const std::string value = argv[i + 1];
        if (name == "--epochs") {
            options.epochs = std::stoull(value);
        } else if (name == "--checkpoint") {
            options.checkpoint = value;
        } else {
            throw std::invalid_argument("no option " + name +
                                        "; there are --epochs and --checkpoint");
        }
    }
    return options;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        const int ranks = std::min(muster::cluster().ranks, 4);
        const Options options = parse(argc, argv);
        const std::uint64_t correct =
            muster::task<&train>.with({.ranks = ranks})(options).get().front();
        std::cout << "accuracy " << static_cast<double>(correct) / 10 << " % on 1000 images\n";
    });
}
