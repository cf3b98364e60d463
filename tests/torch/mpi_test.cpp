// Modules trained by as many MPI ranks as there are come to the weights of one process.

#include "models.hpp"

#include <muster/core/muster.hpp>

#include <torch/utils.h>

#include <cmath>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

using muster::test::Kind;

std::vector<double> train(muster::Communicator& ranks, int kind) {
    torch::set_num_threads(1);
    return muster::test::train_on(ranks, static_cast<Kind>(kind));
}

void check(Kind kind) {
    const int members = muster::cluster().ranks;
    const auto of_members =
        muster::task<&train>.with({.ranks = members})(static_cast<int>(kind)).get();
    const auto alone = muster::test::train_alone(kind, members);
    const auto& weights = of_members.front();
    for (std::size_t i = 0; i < alone.size(); ++i) {
        if (!(std::abs(weights.at(i) - alone[i]) < 1e-11)) { // as in the unit tests
            throw std::runtime_error("model " + std::to_string(static_cast<int>(kind)) +
                                     ", weight " + std::to_string(i) + " is " +
                                     std::to_string(weights[i]) + ", in one process " +
                                     std::to_string(alone[i]));
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        torch::set_num_threads(1);
        for (const Kind kind :
             {Kind::mlp, Kind::convolutional, Kind::branching, Kind::transformer}) {
            check(kind);
        }
        std::cout << "the weights of one process on " << muster::cluster().ranks << " ranks\n";
    });
}
