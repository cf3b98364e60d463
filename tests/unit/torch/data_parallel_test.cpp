#include "local_gang.hpp"
#include "models.hpp"

#include <muster/base/error.hpp>
#include <muster/torch/distributed_data_parallel.hpp>
#include <muster/torch/state.hpp>

#include <gmock/gmock.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <thread>

namespace muster::test {
namespace {

using testing::HasSubstr;
using train::DistributedDataParallel;

/// Sums of some hundred terms below 1 in another order, over 8 steps: (100 + 8) * 2^-53 each, times
/// what the layers make of it; two orders of magnitude more than was ever seen.
constexpr double rounding = 1e-11;

void expect_near(const std::vector<double>& got, const std::vector<double>& expected) {
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], expected[i], rounding) << "weight " << i;
    }
}

/// What every member came to.
std::vector<std::vector<double>>
each_of(int members, const std::function<std::vector<double>(Communicator&)>& body) {
    std::vector<std::vector<double>> weights(static_cast<std::size_t>(members));
    run_gang(members, [&](Communicator& ranks) {
        weights[static_cast<std::size_t>(ranks.rank())] = body(ranks);
    });
    return weights;
}

/// The message that a gang ends with.
std::string error_of(int members, const GangBody& body) {
    try {
        run_gang(members, body);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

/// Some steps on pieces of batches that take_rows gives; gradients are added up by `backward`.
template <class Backward>
std::vector<double> train_mlp(Communicator& ranks, Backward backward) {
    DistributedDataParallel model(ranks, make_model(Kind::mlp));
    torch::optim::SGD optimizer(model->parameters(), 0.1);
    for (int step = 0; step < 3; ++step) {
        optimizer.zero_grad();
        backward(model, step);
        optimizer.step();
    }
    return weights_of(*model.module());
}

class DistributedDataParallelOn : public testing::TestWithParam<std::tuple<Kind, int>> {};

TEST_P(DistributedDataParallelOn, ComesToTheWeightsOfOneProcess) {
    const auto [kind, members] = GetParam();
    const auto weights =
        each_of(members, [kind = kind](Communicator& ranks) { return train_on(ranks, kind); });
    const auto alone = train_alone(kind, members);
    expect_near(weights.front(), alone);
    const auto model = make_model(kind);
    std::size_t trained = 0;
    for (const auto& parameter : model->parameters()) {
        trained += static_cast<std::size_t>(parameter.numel());
    }
    for (const auto& other : weights) { // the same bits; statistics are shared before a step
        EXPECT_TRUE(std::equal(other.begin(),
                               other.begin() + static_cast<std::ptrdiff_t>(trained),
                               weights.front().begin()));
    }
}

INSTANTIATE_TEST_SUITE_P(Models,
                         DistributedDataParallelOn,
                         testing::Combine(testing::Values(Kind::mlp,
                                                          Kind::convolutional,
                                                          Kind::branching,
                                                          Kind::transformer),
                                          testing::Values(1, 2, 3, 4)));

TEST(DistributedDataParallel, IsTheSameWithoutOverlap) {
    const auto run = [](bool overlap) {
        return each_of(
            2, [&](Communicator& ranks) { return train_on(ranks, Kind::transformer, overlap); });
    };
    EXPECT_EQ(run(true), run(false));
}

TEST(DistributedDataParallel, AddsUpGradientsWithoutCommunicationInsideNoSync) {
    const auto weights = each_of(3, [](Communicator& ranks) {
        return train_mlp(ranks, [&](auto& model, int step) {
            const Rows first = make_rows(9, 2 * step).piece(ranks.rank(), 3);
            const Rows second = make_rows(9, 2 * step + 1).piece(ranks.rank(), 3);
            {
                const auto guard = model.no_sync();
                loss_of(model(first.inputs), first).backward();
            }
            loss_of(model(second.inputs), second).backward();
            EXPECT_EQ(model.samples(), 18U);
        });
    });
    const auto alone = each_of(1, [](Communicator& ranks) {
        return train_mlp(ranks, [&](auto& model, int step) {
            const auto guard = model.no_sync();
            for (const int part : {0, 1}) {
                const Rows rows = make_rows(9, 2 * step + part);
                loss_of(model(rows.inputs), rows).backward();
            }
        });
    });
    expect_near(weights[0], alone[0]);
    expect_near(weights[2], alone[0]);
}

TEST(DistributedDataParallel, CountsAMemberWithoutRowsAsNothing) {
    const auto weights = each_of(3, [](Communicator& ranks) {
        return train_mlp(ranks, [&](auto& model, int step) {
            if (ranks.rank() == step) {
                EXPECT_EQ(model.skip(), 7U);
                return;
            }
            const int piece = ranks.rank() == (step + 1) % 3 ? 0 : 1;
            const Rows rows = make_rows(7, step).piece(piece, 2);
            loss_of(model(rows.inputs), rows).backward();
        });
    });
    const auto alone = each_of(1, [](Communicator& ranks) {
        return train_mlp(ranks, [&](auto& model, int step) {
            const Rows rows = make_rows(7, step);
            loss_of(model(rows.inputs), rows).backward();
        });
    });
    expect_near(weights[0], alone[0]);
    EXPECT_EQ(weights[0], weights[1]);
    EXPECT_EQ(weights[0], weights[2]);
}

TEST(DistributedDataParallel, JoinAnswersUntilAllAreThrough) {
    // Members have 2, 4 and 6 batches; all make the same 6 steps.
    const auto weights = each_of(3, [](Communicator& ranks) {
        DistributedDataParallel model(ranks, make_model(Kind::convolutional));
        torch::optim::SGD optimizer(model->parameters(),
                                    torch::optim::SGDOptions(0.1).momentum(0.9));
        const auto update = [&] {
            optimizer.step();
            optimizer.zero_grad();
        };
        int batches = 0;
        for (; batches < 2 * (ranks.rank() + 1); ++batches) {
            const Rows rows = make_rows(4, 10 * ranks.rank() + batches);
            loss_of(model(rows.inputs), rows).backward();
            update();
        }
        model.join([&] {
            update();
            ++batches;
        });
        EXPECT_EQ(batches, 6);
        EXPECT_EQ(model.samples(), 0U);
        std::vector<double> all;
        for (const auto& parameter : model->parameters()) {
            all.push_back(parameter.sum().template item<double>());
        }
        return all;
    });
    EXPECT_EQ(weights[0], weights[1]);
    EXPECT_EQ(weights[0], weights[2]);
}

TEST(DistributedDataParallel, RunsHooksInTheThreadThatCallsBackward) {
    run_gang(2, [](Communicator& ranks) {
        DistributedDataParallel model(ranks, make_model(Kind::mlp));
        std::optional<std::thread::id> of_hook;
        (void)model->parameters()[0].register_hook(
            [&](const torch::Tensor& gradient) { // returns it, as LibTorch 1.13 wants
                of_hook = std::this_thread::get_id();
                return gradient;
            });
        const Rows rows = make_rows(4, 1);
        loss_of(model(rows.inputs), rows).backward();
        EXPECT_EQ(of_hook, std::this_thread::get_id());
    });
}

TEST(DistributedDataParallel, NamesTheFirstParameterThatDiffersAndTheMembers) {
    const std::string text = error_of(4, [](Communicator& ranks) {
        const bool is_other = ranks.rank() == 1 || ranks.rank() == 3;
        const auto model = is_other ? torch::nn::Linear(3, 5) : torch::nn::Linear(3, 4);
        const DistributedDataParallel parallel(ranks, model);
    });
    EXPECT_EQ(text,
              "the members' modules differ: member 0 has parameter 'weight', float32 [4, 3], where "
              "member 1 has parameter 'weight', float32 [5, 3] (other than member 0's on members "
              "1, 3); all must make the same module");
    EXPECT_THAT(
        error_of(2,
                 [](Communicator& ranks) {
                     const DistributedDataParallel parallel(
                         ranks,
                         torch::nn::Linear(torch::nn::LinearOptions(3, 4).bias(ranks.rank() == 0)));
                 }),
        HasSubstr("member 0 has parameter 'bias', float32 [4], where member 1 has nothing"));
}

TEST(DistributedDataParallel, NamesParametersThatGotNoGradient) {
    EXPECT_THAT(error_of(1,
                         [](Communicator& ranks) {
                             DistributedDataParallel model(ranks, make_model(Kind::branching));
                             const Rows rows = make_rows(5, 0);
                             loss_of(model(rows.inputs), rows).backward();
                         }),
                HasSubstr("got no gradient in this step: "));
}

TEST(DistributedDataParallel, WantsToHaveSeenTheForwardPass) {
    EXPECT_THAT(error_of(1,
                         [](Communicator& ranks) {
                             DistributedDataParallel model(ranks, make_model(Kind::mlp));
                             const Rows rows = make_rows(5, 0);
                             loss_of(model->forward(rows.inputs), rows).backward();
                         }),
                HasSubstr("no forward pass had said of how many samples"));
}

TEST(DistributedDataParallel, RefusesParametersItCannotReduce) {
    EXPECT_THAT(error_of(1,
                         [](Communicator& ranks) {
                             torch::nn::Linear model(2, 2);
                             model->to(torch::kHalf);
                             const DistributedDataParallel parallel(ranks, model);
                         }),
                HasSubstr("parameter 'weight' is float16; gradients are reduced as float32"));
}

TEST(DistributedDataParallel, LeavesFrozenParametersAlone) {
    run_gang(2, [](Communicator& ranks) {
        const auto frozen = make_model(Kind::mlp);
        frozen->parameters()[0].set_requires_grad(false);
        DistributedDataParallel model(ranks, frozen);
        const Rows rows = make_rows(4, 1);
        loss_of(model(rows.inputs), rows).backward();
        EXPECT_FALSE(model->parameters()[0].grad().defined());
        EXPECT_TRUE(model->parameters()[1].grad().defined());
    });
}

TEST(DistributedDataParallel, LeavesTheModuleAsItWasWhenItGoes) {
    const auto model = make_model(Kind::mlp);
    const Rows rows = make_rows(4, 1);
    run_gang(1, [&](Communicator& ranks) {
        DistributedDataParallel parallel(ranks, model);
        loss_of(parallel(rows.inputs), rows).backward();
    });
    loss_of(model->forward(rows.inputs), rows).backward(); // no hook is left to look for the gang
}

TEST(ModuleState, HasTheNamesOfPythonAndTheModulesOwnMemory) {
    const auto model = make_model(Kind::convolutional);
    const auto spans = train::state_spans(*model);
    std::vector<std::string> names;
    for (const auto& span : spans) {
        names.push_back(span.name + " " + span.type);
    }
    EXPECT_THAT(
        names,
        testing::ElementsAre("conv.weight float64",
                             "conv.bias float64",
                             "norm.weight float64",
                             "norm.bias float64",
                             "last.weight float64",
                             "last.bias float64",
                             "norm.running_mean float64",
                             "norm.running_var float64",
                             "norm.num_batches_tracked float64")); // to(kDouble) takes it along
    const double value = 7.5;
    std::memcpy(spans[0].bytes.data(), &value, sizeof(value));
    EXPECT_EQ(model->parameters()[0].flatten()[0].item<double>(), 7.5);
    EXPECT_EQ(spans[0].shape, (std::vector<std::int64_t>{3, 1, 3, 3}));
}

TEST(ModuleState, ComesBackWithTheOptimizers) {
    const auto train = [](Model& model, torch::optim::Optimizer& optimizer, int from, int to) {
        for (int step = from; step < to; ++step) {
            const Rows rows = make_rows(6, step);
            optimizer.zero_grad();
            loss_of(model.forward(rows.inputs), rows).backward();
            optimizer.step();
        }
    };
    const auto options = torch::optim::SGDOptions(0.1).momentum(0.9);
    const auto whole = make_model(Kind::convolutional);
    torch::optim::SGD optimizer(whole->parameters(), options);
    train(*whole, optimizer, 0, 3);
    std::vector<train::NamedTensor> state;
    for (const auto& [name, tensor] : train::state_of(*whole)) {
        state.push_back({name, tensor.clone()});
    }
    const auto momentum = train::optimizer_state(optimizer);
    train(*whole, optimizer, 3, 6);

    const auto resumed = make_model(Kind::convolutional, 5);
    torch::optim::SGD other(resumed->parameters(), options);
    train::load_state(*resumed, state);
    train::load_optimizer_state(other, momentum);
    train(*resumed, other, 3, 6);
    EXPECT_EQ(weights_of(*resumed), weights_of(*whole));
}

TEST(ModuleState, NamesWhatDoesNotFit) {
    const auto text = [](const std::vector<train::NamedTensor>& state) -> std::string {
        try {
            train::load_state(*torch::nn::Linear(2, 3), state);
        } catch (const UsageError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_THAT(text({{"weight", torch::zeros({3, 2})}}),
                HasSubstr("lacks the module's tensor 'bias', float32 [3]"));
    EXPECT_THAT(text({{"weight", torch::zeros({2, 2})}}),
                HasSubstr("tensor 'weight' of the state to be loaded is float32 [2, 2], but the "
                          "module's is float32 [3, 2]"));
    EXPECT_THAT(text({{"scale", torch::zeros({2})}}),
                HasSubstr("has a tensor 'scale', which the module has not"));
}

} // namespace
} // namespace muster::test

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    torch::set_num_threads(1); // members are threads
    return RUN_ALL_TESTS();
}
