#include "models.hpp"

#include <muster/base/random.hpp>
#include <muster/torch/distributed_data_parallel.hpp>

#include <torch/nn/functional/activation.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/optim/sgd.h>

namespace muster::test {
namespace {

namespace nn = torch::nn;

struct Mlp : Model {
    torch::Tensor forward(torch::Tensor rows) override { return second(torch::relu(first(rows))); }

    nn::Linear first = register_module("first", nn::Linear(64, 16));
    nn::Linear second = register_module("second", nn::Linear(16, 5));
};

struct Convolutional : Model {
    torch::Tensor forward(torch::Tensor rows) override {
        const auto images = rows.view({-1, 1, 8, 8});
        const auto found = torch::relu(norm(conv(images)));
        return last(found.flatten(1));
    }

    nn::Conv2d conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(1, 3, 3).stride(2)));
    nn::BatchNorm2d norm = register_module("norm", nn::BatchNorm2d(3));
    nn::Linear last = register_module("last", nn::Linear(27, 5));
};

struct Branching : Model {
    /// Rows that begin with a positive number come first, and take one way; the others the other.
    torch::Tensor forward(torch::Tensor rows) override {
        const auto positive = rows.select(1, 0).gt(0).sum().item<std::int64_t>();
        std::vector<torch::Tensor> outputs;
        if (positive > 0) {
            outputs.push_back(left(rows.slice(0, 0, positive)));
        }
        if (positive < rows.size(0)) {
            outputs.push_back(right(rows.slice(0, positive)));
        }
        return last(torch::tanh(torch::cat(outputs)));
    }

    nn::Linear left = register_module("left", nn::Linear(64, 8));
    nn::Linear right = register_module("right", nn::Linear(64, 8));
    nn::Linear spare = register_module("spare", nn::Linear(3, 3));
    nn::Linear last = register_module("last", nn::Linear(8, 5));
};

struct Transformer : Model {
    torch::Tensor forward(torch::Tensor rows) override {
        const auto words = rows.view({-1, 8, 8}).transpose(0, 1); // word, row, feature
        const auto seen = std::get<0>(attention(words, words, words));
        const auto mixed = first_norm(words + seen);
        const auto all = second_norm(mixed + narrow(torch::gelu(widen(mixed))));
        return last(all.mean(0));
    }

    nn::MultiheadAttention attention =
        register_module("attention", nn::MultiheadAttention(nn::MultiheadAttentionOptions(8, 2)));
    nn::LayerNorm first_norm = register_module("first_norm", nn::LayerNorm(std::vector<long>{8}));
    nn::Linear widen = register_module("widen", nn::Linear(8, 32));
    nn::Linear narrow = register_module("narrow", nn::Linear(32, 8));
    nn::LayerNorm second_norm = register_module("second_norm", nn::LayerNorm(std::vector<long>{8}));
    nn::Linear last = register_module("last", nn::Linear(8, 5));
};

std::shared_ptr<Model> make(Kind kind) {
    switch (kind) {
    case Kind::mlp:
        return std::make_shared<Mlp>();
    case Kind::convolutional:
        return std::make_shared<Convolutional>();
    case Kind::branching:
        return std::make_shared<Branching>();
    case Kind::transformer:
        return std::make_shared<Transformer>();
    }
    return nullptr;
}

/// Weight decay tells a gradient of 0 from none.
torch::optim::SGD make_optimizer(const Model& model) {
    return torch::optim::SGD(model.parameters(),
                             torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(0.01));
}

} // namespace

std::shared_ptr<Model> make_model(Kind kind, int seed) {
    auto model = make(kind);
    model->to(torch::kDouble);
    Random random(static_cast<std::uint64_t>(seed));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : model->parameters()) {
        double* values = parameter.data_ptr<double>();
        for (std::int64_t i = 0; i < parameter.numel(); ++i) {
            values[i] = random.uniform(-0.5, 0.5);
        }
    }
    return model;
}

Rows Rows::piece(int number, int pieces) const {
    const int begin = count() * number / pieces;
    const int end = count() * (number + 1) / pieces;
    return {inputs.slice(0, begin, end), targets.slice(0, begin, end)};
}

Rows make_rows(int count, int seed) {
    Random random(static_cast<std::uint64_t>(seed) + 100);
    Rows rows{torch::empty({count, 64}, torch::kDouble), torch::empty({count}, torch::kLong)};
    const auto positive = static_cast<int>(random.below(static_cast<std::uint64_t>(count) + 1));
    for (int row = 0; row < count; ++row) {
        double* input = rows.inputs[row].data_ptr<double>();
        for (int i = 0; i < 64; ++i) {
            input[i] = random.uniform(-1, 1);
        }
        input[0] = row < positive ? 1 : -1;
        rows.targets[row] = static_cast<std::int64_t>(random.below(5));
    }
    return rows;
}

torch::Tensor loss_of(const torch::Tensor& outputs, const Rows& rows) {
    return torch::nn::functional::cross_entropy(outputs, rows.targets);
}

std::vector<double> weights_of(const Model& model) {
    std::vector<double> all;
    const auto add = [&](const torch::Tensor& tensor) {
        const auto values = tensor.detach().to(torch::kDouble).contiguous();
        const double* begin = values.data_ptr<double>();
        all.insert(all.end(), begin, begin + values.numel());
    };
    for (const auto& parameter : model.parameters()) {
        add(parameter);
    }
    for (const auto& buffer : model.buffers()) {
        add(buffer);
    }
    return all;
}

std::vector<double> train_on(Communicator& ranks, Kind kind, bool overlap) {
    // Small buckets, so that there are several; weights of member 0 are to come to all.
    train::DistributedDataParallel model(
        ranks,
        make_model(kind, 1 + ranks.rank()),
        {.reducer = {.first_bucket_bytes = 500, .bucket_bytes = 1000},
         .find_unused = kind == Kind::branching,
         .overlap = overlap});
    auto optimizer = make_optimizer(*model.module());
    for (int step = 0; step < steps; ++step) {
        const Rows rows = make_rows(rows_in_step, step).piece(ranks.rank(), ranks.size());
        optimizer.zero_grad();
        loss_of(model(rows.inputs), rows).backward();
        optimizer.step();
    }
    return weights_of(*model.module());
}

std::vector<double> train_alone(Kind kind, int members) {
    const auto model = make_model(kind);
    auto optimizer = make_optimizer(*model);
    const int pieces = kind == Kind::convolutional ? members : 1;
    for (int step = 0; step < steps; ++step) {
        const Rows rows = make_rows(rows_in_step, step);
        optimizer.zero_grad();
        // The last piece's statistics are what remains: that is to be the first one's.
        for (int number = pieces; number-- > 0;) {
            const Rows piece = rows.piece(number, pieces);
            std::vector<torch::Tensor> before;
            for (const auto& buffer : model->buffers()) {
                before.push_back(buffer.clone());
            }
            const auto share = static_cast<double>(piece.count()) / rows_in_step;
            (share * loss_of(model->forward(piece.inputs), piece)).backward();
            for (std::size_t i = 0; number > 0 && i < before.size(); ++i) {
                model->buffers()[i].copy_(before[i]);
            }
        }
        optimizer.step();
    }
    return weights_of(*model);
}

} // namespace muster::test
