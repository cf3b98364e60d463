// The contract and the trajectories over MPI ranks: the gang's communicator, and MPI's collectives.

#include "contract.hpp"
#include "perceptron.hpp"

#include <muster/core/muster.hpp>
#include <muster/train/mpi_backend.hpp>

#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using muster::Communicator;
using muster::test::Trained;
namespace train = muster::train;

bool is_under_mpi() {
    return muster::cluster().ranks > 1;
}

std::unique_ptr<train::Backend> make_backend(Communicator& communicator, int kind) {
    return kind == 0 ? train::make_communicator_backend(communicator)
                     : train::make_mpi_backend(communicator);
}

int keep_contract(Communicator& communicator, int kind) {
    const auto backend = make_backend(communicator, kind);
    for (const muster::test::Clause& clause : muster::test::contract()) {
        try {
            clause.check(*backend);
        } catch (const std::exception& error) {
            throw std::runtime_error(std::string(clause.name) + ": " + error.what());
        }
    }
    return communicator.rank();
}

std::vector<float> train_sharded(Communicator& communicator, int kind, int sharding) {
    const auto backend = make_backend(communicator, kind);
    const Trained trained =
        muster::test::train_perceptron(*backend,
                                       train::adamw({.learning_rate = 0.01, .epsilon = 1e-4}),
                                       {.sharding = static_cast<train::Sharding>(sharding)},
                                       30);
    return trained.parameters;
}

/// What one member comes to.
std::vector<float> train_alone() {
    const auto backends = train::make_reference_backends(1);
    return muster::test::train_perceptron(*backends.front(),
                                          train::adamw({.learning_rate = 0.01, .epsilon = 1e-4}),
                                          {.sharding = train::Sharding::none},
                                          30)
        .parameters;
}

void require(bool is_true, const char* what) {
    if (!is_true) {
        throw std::runtime_error(what);
    }
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        const int ranks = muster::cluster().ranks;
        const std::vector<float> one = train_alone();
        for (int kind = 0; kind < (is_under_mpi() ? 2 : 1); ++kind) {
            const muster::TaskOptions gang{.ranks = ranks, .raw_mpi = kind == 1};
            (void)muster::task<&keep_contract>.with(gang)(kind).get();
            for (int sharding = 0; sharding < 4; ++sharding) {
                const auto all = muster::task<&train_sharded>.with(gang)(kind, sharding).get();
                for (const std::vector<float>& parameters : all) {
                    require(parameters == all.front(), "members have different parameters");
                }
                for (std::size_t i = 0; i < one.size(); ++i) {
                    // See sharded_test.cpp.
                    require(std::abs(one[i] - all.front()[i]) < 5e-5,
                            "another trajectory than one's");
                }
            }
        }
        std::puts("contract and trajectories: as promised");
    });
}
