// Data-parallel training of LibTorch modules on two ranks with one thread each, and on one without
// a gang: steps per second, with reduction during the backward pass ("ddp.") and after it
// ("ddp.after."). bench/peers/torch_ddp.py does the same with PyTorch's DistributedDataParallel.

#include "report.hpp"

#include <muster/core/communicator.hpp>
#include <muster/core/muster.hpp>
#include <muster/torch/distributed_data_parallel.hpp>

#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

namespace {

namespace nn = torch::nn;

constexpr int members = 2;
constexpr std::int64_t batch_rows = 64; // of each rank
constexpr std::int64_t rows = 8192;

struct Net {
    std::string name;
    std::vector<std::int64_t> widths;
    int steps = 0;
};

std::vector<Net> nets(bool quick) {
    if (quick) {
        return {{"mlp", {784, 16, 16, 10}, 3}, {"large", {784, 16, 16, 16, 10}, 3}};
    }
    return {{"mlp", {784, 512, 512, 10}, 300}, {"large", {784, 2048, 2048, 2048, 10}, 40}};
}

nn::Sequential make(const Net& net) {
    torch::manual_seed(0);
    nn::Sequential layers;
    for (std::size_t i = 0; i + 1 < net.widths.size(); ++i) {
        layers->push_back(nn::Linear(net.widths[i], net.widths[i + 1]));
        if (i + 2 < net.widths.size()) {
            layers->push_back(nn::ReLU());
        }
    }
    return layers;
}

/// The time of net.steps steps; `module` is called as the net is.
template <class Module>
double time_steps(Module& module, torch::optim::SGD& optimizer, const Net& net) {
    const auto inputs = torch::rand({rows, 784});
    const auto targets = torch::randint(10, {rows}, torch::kLong);
    const auto begin = std::chrono::steady_clock::now();
    for (int step = 0; step < net.steps; ++step) {
        const std::int64_t first = step * batch_rows % rows;
        optimizer.zero_grad();
        const auto loss = nn::functional::cross_entropy(module(inputs.narrow(0, first, batch_rows)),
                                                        targets.narrow(0, first, batch_rows));
        loss.backward();
        optimizer.step();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

torch::optim::SGD optimizer_of(nn::Sequential& net) {
    return torch::optim::SGD(net->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
}

/// Steps per second of each repetition.
std::vector<double> train(muster::Communicator& ranks, Net net, bool overlap, int repetitions) {
    torch::set_num_threads(1);
    nn::Sequential layers = make(net);
    auto optimizer = optimizer_of(layers);
    muster::train::DistributedDataParallel parallel(ranks, layers, {.overlap = overlap});
    (void)time_steps(parallel, optimizer, net);
    std::vector<double> rates;
    for (int i = 0; i < repetitions; ++i) {
        ranks.barrier();
        double seconds = time_steps(parallel, optimizer, net);
        ranks.all_reduce(std::span(&seconds, 1), muster::ReduceOp::max);
        rates.push_back(net.steps / seconds);
    }
    return rates;
}

struct Alone {
    nn::Sequential layers;

    torch::Tensor operator()(const torch::Tensor& inputs) { return layers->forward(inputs); }
};

std::vector<double> train_alone(Net net, int repetitions) {
    torch::set_num_threads(1);
    Alone alone{make(net)};
    auto optimizer = optimizer_of(alone.layers);
    (void)time_steps(alone, optimizer, net);
    std::vector<double> rates;
    for (int i = 0; i < repetitions; ++i) {
        rates.push_back(net.steps / time_steps(alone, optimizer, net));
    }
    return rates;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
        const std::string only = argc > 2 && std::strcmp(argv[1], "--only") == 0 ? argv[2] : "";
        const int repetitions = quick ? 1 : 5;
        bench::Report report;
        bench::describe_machine(report);
        const auto add = [&](const std::string& name, const std::vector<double>& rates) {
            for (const double rate : rates) {
                report.add(name, "steps/s", rate);
            }
        };
        for (const Net& net : nets(quick)) {
            if (!only.empty() && net.name != only) {
                continue;
            }
            // The first gang of a run is slower than those after it, whatever it does.
            (void)muster::task<&train>.with({.ranks = members})(net, true, 1).get();
            add("ddp." + net.name,
                muster::task<&train>.with({.ranks = members})(net, true, repetitions).get()[0]);
            add("ddp.after." + net.name,
                muster::task<&train>.with({.ranks = members})(net, false, repetitions).get()[0]);
            add("alone." + net.name, muster::task<&train_alone>(net, repetitions).get());
        }
        report.print();
    });
}
