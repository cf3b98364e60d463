#pragma once

#include <muster/base/random.hpp>
#include <muster/data/batch_loader.hpp>
#include <muster/data/writer.hpp>
#include <muster/train/gradient_reducer.hpp>
#include <muster/train/trainer.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

/// A small training loop with everything that has to survive: weights, momentum, a generator, and
/// the place in the data.
namespace muster::test {

struct Fit {
    std::string data;
    std::uint64_t steps = 30;
    std::uint64_t save_every = 1;
    std::uint64_t fail_at =
        0; ///< Throws before this step's update, in the first attempt; 0: never.
    int failing_rank = 0;
};

/// Rows of three inputs and a target.
inline void write_observations(const std::string& path) {
    Random random(3);
    std::vector<double> x(3 * 50);
    std::vector<double> y(50);
    for (std::size_t row = 0; row < y.size(); ++row) {
        for (std::size_t i = 0; i < 3; ++i) {
            x[3 * row + i] = random.uniform(-1, 1);
            y[row] += static_cast<double>(i + 1) * x[3 * row + i];
        }
    }
    data::FileWriter writer(path,
                            {data::new_column<double>("x", {3}), data::new_column<double>("y")});
    writer.append({data::block("x", x), data::block("y", y)});
    writer.finish();
}

template <class Hook>
void regress(train::Worker& worker, const Fit& fit, const Hook& before_update) {
    std::array<double, 3> weights{};
    std::array<double, 3> momentum{};
    std::array<double, 3> gradient{};
    std::uint64_t step = 0;
    if (const auto& from = worker.checkpoint()) {
        step = from->step();
        from->read("weights", std::span<double>(weights));
        from->read("momentum", std::span<double>(momentum));
    }
    train::GradientReducer reducer(worker.communicator(), {std::span<double>(gradient)});
    data::BatchLoader loader(
        data::Table::open(fit.data),
        {data::column<double>("x", {{3}}), data::column<double>("y", {{}})},
        {.batch_size = 8, .seed = 1, .shard = worker.shard(), .threads = 0, .first_step = step});
    std::uint64_t saved = step;
    double loss = 0;
    const auto save = [&] {
        worker.report({{"loss", loss}},
                      train::State(step)
                          .array("weights", std::span<const double>(weights))
                          .array("momentum", std::span<const double>(momentum)));
        saved = step;
    };
    while (step < fit.steps && !worker.should_stop()) {
        worker.phase(train::Phase::data);
        const auto batch = loader.next();
        worker.phase(train::Phase::compute);
        const auto x = batch->column<double>("x");
        const auto y = batch->column<double>("y");
        reducer.begin(batch->size());
        gradient = {};
        loss = 0;
        for (std::size_t row = 0; row < batch->size(); ++row) {
            double error = -y[row];
            for (std::size_t i = 0; i < 3; ++i) {
                error += weights[i] * x[3 * row + i];
            }
            for (std::size_t i = 0; i < 3; ++i) {
                gradient[i] += error * x[3 * row + i] / static_cast<double>(batch->size());
            }
            loss += error * error;
        }
        reducer.mark_ready(0);
        (void)reducer.finish();
        before_update(step + 1);
        for (std::size_t i = 0; i < 3; ++i) {
            momentum[i] = 0.9 * momentum[i] + gradient[i];
            weights[i] -= 0.1 * momentum[i];
        }
        ++step;
        if (step % fit.save_every == 0) {
            save();
        }
    }
    if (saved != step) {
        save();
    }
}

} // namespace muster::test
