// A network that learns to read digits on two workers, and one of them dies on the way: the Trainer
// starts again from the last checkpoint, and ends with the very network that it would have had.

#include <muster/base/random.hpp>
#include <muster/core/muster.hpp>
#include <muster/data/batch_loader.hpp>
#include <muster/train/gradient_reducer.hpp>
#include <muster/train/trainer.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace data = muster::data;
namespace train = muster::train;

constexpr std::size_t pixels = 784;
constexpr std::size_t hidden = 32;
constexpr std::size_t digits = 10;

/// Every fifth image is held back, or those that are not: the file is sorted by digit.
std::vector<std::uint64_t> images_of(const data::Table& table, bool held_back) {
    std::vector<std::uint64_t> rows;
    for (std::uint64_t row = 0; row < table.rows(); ++row) {
        if ((row % 5 == 0) == held_back) {
            rows.push_back(row);
        }
    }
    return rows;
}

/// Weights of two layers, row-major, or their gradients, or momenta. Biases are left out.
struct Layers {
    std::vector<float> first = std::vector<float>(hidden * pixels);
    std::vector<float> second = std::vector<float>(digits * hidden);
};

/// What the network makes of an image: the hidden layer, and a probability for each digit.
struct Answer {
    std::array<float, hidden> hidden_layer{};
    std::array<float, digits> probability{};
};

Answer answer(const Layers& weights, std::span<const float> image) {
    Answer a;
    for (std::size_t h = 0; h < hidden; ++h) {
        const float* const row = &weights.first[h * pixels];
        const float sum = std::inner_product(image.begin(), image.end(), row, 0.0F) / 255;
        a.hidden_layer[h] = std::max(sum, 0.0F);
    }
    float total = 0;
    for (std::size_t d = 0; d < digits; ++d) {
        const float* const row = &weights.second[d * hidden];
        a.probability[d] =
            std::exp(std::inner_product(a.hidden_layer.begin(), a.hidden_layer.end(), row, 0.0F));
        total += a.probability[d];
    }
    for (float& p : a.probability) {
        p /= total;
    }
    return a;
}

/// Adds an image's share to the gradient. @return its cross-entropy.
float learn(const Layers& weights,
            std::span<const float> image,
            std::uint8_t label,
            float share,
            Layers& gradient) {
    const Answer a = answer(weights, image);
    std::array<float, hidden> back{};
    for (std::size_t d = 0; d < digits; ++d) {
        const float error = share * (a.probability[d] - (d == label ? 1.0F : 0.0F));
        for (std::size_t h = 0; h < hidden; ++h) {
            gradient.second[d * hidden + h] += error * a.hidden_layer[h];
            back[h] += error * weights.second[d * hidden + h];
        }
    }
    for (std::size_t h = 0; h < hidden; ++h) {
        if (a.hidden_layer[h] > 0) {
            for (std::size_t p = 0; p < pixels; ++p) {
                gradient.first[h * pixels + p] += back[h] * image[p] / 255;
            }
        }
    }
    return -std::log(a.probability[label]);
}

void update(std::vector<float>& weights,
            std::vector<float>& momentum,
            std::span<const float> gradient) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
        momentum[i] = 0.9F * momentum[i] + gradient[i];
        weights[i] -= 0.05F * momentum[i];
    }
}

/// The training loop, on every worker. In its first attempt worker 1 dies before step `dies_at`.
void loop(train::Worker& worker, std::uint64_t steps, std::uint64_t dies_at) {
    Layers weights;
    Layers momentum;
    Layers gradient;
    std::uint64_t step = 0;
    if (const auto& from = worker.checkpoint()) {
        step = from->step();
        from->read("weights/first", std::span(weights.first));
        from->read("weights/second", std::span(weights.second));
        from->read("momentum/first", std::span(momentum.first));
        from->read("momentum/second", std::span(momentum.second));
    } else {
        muster::Random random(1); // the same on all workers
        for (float& weight : weights.first) {
            weight = static_cast<float>(random.normal()) * std::sqrt(2.0F / pixels);
        }
        for (float& weight : weights.second) {
            weight = static_cast<float>(random.normal()) * std::sqrt(2.0F / hidden);
        }
    }
    const std::vector columns{data::column<float>("images", {{28, 28}}),
                              data::column<std::uint8_t>("labels", {{}})};
    const auto table = data::Table::open(DIGITS_DATA_FILE, {.columns = columns});
    data::BatchLoader loader(table,
                             columns,
                             {.rows = images_of(table, false),
                              .batch_size = 64,
                              .seed = 1,
                              .shard = worker.shard(),
                              .first_step = step});
    train::GradientReducer reducer(worker.communicator(),
                                   {std::span(gradient.first), std::span(gradient.second)});
    while (step < steps && !worker.should_stop()) {
        worker.phase(train::Phase::data);
        const auto batch = loader.next();
        worker.phase(train::Phase::compute);
        if (worker.attempt() == 1 && worker.rank() == 1 && step + 1 == dies_at) {
            throw std::runtime_error("killed in step " + std::to_string(dies_at));
        }
        const auto images = batch->column<float>("images");
        const auto labels = batch->column<std::uint8_t>("labels");
        reducer.begin(batch->size());
        std::ranges::fill(gradient.first, 0.0F);
        std::ranges::fill(gradient.second, 0.0F);
        double loss = 0;
        for (std::size_t i = 0; i < batch->size(); ++i) {
            loss += learn(weights,
                          images.subspan(i * pixels, pixels),
                          labels[i],
                          1.0F / static_cast<float>(batch->size()),
                          gradient);
        }
        reducer.mark_ready(1);
        reducer.mark_ready(0);
        (void)reducer.finish();
        update(weights.first, momentum.first, gradient.first);
        update(weights.second, momentum.second, gradient.second);
        ++step;
        const train::Metrics metrics{{"loss", loss / static_cast<double>(batch->size())}};
        if (step % 20 == 0 || step == steps) {
            worker.report(
                metrics,
                train::State(step)
                    .array("weights/first", std::span<const float>(weights.first), {hidden, pixels})
                    .array(
                        "weights/second", std::span<const float>(weights.second), {digits, hidden})
                    .array("momentum/first", std::span<const float>(momentum.first))
                    .array("momentum/second", std::span<const float>(momentum.second)));
        } else {
            worker.report(step, metrics);
        }
    }
}

/// Of the images that were held back, how many does the network of a checkpoint name right?
double accuracy(const Layers& weights) {
    const std::vector columns{data::column<float>("images", {{28, 28}}),
                              data::column<std::uint8_t>("labels", {{}})};
    const auto table = data::Table::open(DIGITS_DATA_FILE, {.columns = columns});
    const auto rows = images_of(table, true);
    const auto batch =
        data::BatchLoader(table, columns, {.rows = rows, .batch_size = rows.size(), .threads = 0})
            .next();
    int right = 0;
    for (std::size_t i = 0; i < batch->size(); ++i) {
        const auto image = batch->column<float>("images").subspan(i * pixels, pixels);
        const auto guess = answer(weights, image).probability;
        right += std::ranges::max_element(guess) - guess.begin() ==
                         batch->column<std::uint8_t>("labels")[i]
                     ? 1
                     : 0;
    }
    return static_cast<double>(right) / static_cast<double>(batch->size());
}

Layers network_of(const train::Result& result) {
    const train::Checkpoint checkpoint(result.last.value().path);
    Layers weights;
    checkpoint.read("weights/first", std::span(weights.first));
    checkpoint.read("weights/second", std::span(weights.second));
    return weights;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        const auto folder =
            std::filesystem::temp_directory_path() / ("train_mlp-" + std::to_string(::getpid()));
        const auto fit = [&](const char* name, std::uint64_t dies_at) {
            return train::Trainer<&loop>({.workers = 2,
                                          .cpus_per_worker = 0,
                                          .max_failures = 1,
                                          .storage = folder / name})
                .fit(std::uint64_t{200}, dies_at);
        };
        const train::Result interrupted = fit("interrupted", 90);
        const train::Result uninterrupted = fit("uninterrupted", 0);
        const Layers network = network_of(interrupted);
        std::cout << "failures: " << interrupted.failures << ", steps: " << interrupted.last->step
                  << '\n'
                  << (accuracy(network) > 0.85 ? "reads" : "does not read") << " digits\n"
                  << (network.first == network_of(uninterrupted).first ? "the same" : "another")
                  << " network as without a break\n";
        std::filesystem::remove_all(folder);
    });
}
