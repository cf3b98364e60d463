#pragma once

#include <muster/core/communicator.hpp>
#include <muster/torch/module_reducer.hpp>

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <vector>

/// Small modules and their training, by one process or by a gang.
namespace muster::test {

/// A row of its input is 64 numbers, of its output 5.
struct Model : torch::nn::Module {
    virtual torch::Tensor forward(torch::Tensor rows) = 0;
};

enum class Kind : int {
    mlp,
    convolutional, ///< With BatchNorm.
    branching,     ///< A row takes one of two ways, and one layer is never used.
    transformer,
};

/// In double, with weights that depend on the seed only.
std::shared_ptr<Model> make_model(Kind kind, int seed = 1);

struct Rows {
    torch::Tensor inputs;
    torch::Tensor targets;

    [[nodiscard]] int count() const { return static_cast<int>(inputs.size(0)); }

    /// Of so many pieces, nearly equal, the one with that number.
    [[nodiscard]] Rows piece(int number, int pieces) const;
};

/// The same for everybody.
Rows make_rows(int count, int seed);

torch::Tensor loss_of(const torch::Tensor& outputs, const Rows& rows);

/// All parameters and buffers, one after another.
std::vector<double> weights_of(const Model& model);

constexpr int steps = 8;
constexpr int rows_in_step = 13; // uneven for 2, 3 and 4

/// As a member of a gang, on its piece of every batch.
std::vector<double> train_on(Communicator& ranks, Kind kind, bool overlap = true);

/// What as many members are to come to, by one process without any of Muster: on whole batches,
/// but for BatchNorm's sake on pieces where there are such layers.
std::vector<double> train_alone(Kind kind, int members);

} // namespace muster::test
