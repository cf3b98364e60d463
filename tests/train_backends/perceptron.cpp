#include "perceptron.hpp"

#include <muster/base/random.hpp>

#include <array>
#include <cmath>

namespace muster::test {
namespace {

constexpr std::size_t inputs = 8;
constexpr std::size_t hidden = 12;
constexpr std::size_t outputs = 4;
constexpr std::size_t batch = 24;

struct Row {
    std::array<float, inputs> x;
    std::array<float, outputs> y;
};

Row row_of(std::size_t index) {
    Random random(17, index);
    Row row;
    for (float& value : row.x) {
        value = static_cast<float>(random.uniform(-1, 1));
    }
    for (std::size_t o = 0; o < outputs; ++o) {
        row.y[o] = std::sin(row.x[o] + row.x[o + 1]) + row.x[o + 4];
    }
    return row;
}

std::vector<float> initial(std::size_t elements, std::uint64_t seed, std::size_t fan_in) {
    Random random(seed);
    std::vector<float> values(elements);
    for (float& value : values) {
        value = static_cast<float>(random.normal() / std::sqrt(static_cast<double>(fan_in)));
    }
    return values;
}

/// Hidden units of a row, after tanh, and the errors of its outputs.
struct Forward {
    std::array<float, hidden> units{};
    std::array<float, outputs> errors{};
};

} // namespace

Trained train_perceptron(train::Backend& backend,
                         const train::OptimizerFactory& optimizer,
                         const train::ShardedOptions& options,
                         int steps) {
    train::ShardedModel model(backend, {hidden * inputs, outputs * hidden}, optimizer, options);
    model.assign(0, initial(hidden * inputs, 1, inputs));
    model.assign(1, initial(outputs * hidden, 2, hidden));
    const auto members = static_cast<std::size_t>(backend.size());
    const auto self = static_cast<std::size_t>(backend.rank());
    const std::size_t begin = batch * self / members;
    const std::size_t end = batch * (self + 1) / members;
    Trained trained;
    for (int step = 0; step < steps; ++step) {
        model.begin(end - begin);
        std::vector<Row> rows;
        std::vector<Forward> forward(end - begin);
        const auto first = model.gather(0);
        model.prefetch(1);
        for (std::size_t i = begin; i < end; ++i) {
            rows.push_back(row_of(static_cast<std::size_t>(step % 4) * batch + i));
            for (std::size_t h = 0; h < hidden; ++h) {
                float sum = 0;
                for (std::size_t k = 0; k < inputs; ++k) {
                    sum += first[h * inputs + k] * rows.back().x[k];
                }
                forward[i - begin].units[h] = std::tanh(sum);
            }
        }
        model.release(0);
        const auto second = model.gather(1);
        double loss = 0;
        const auto share =
            static_cast<float>(model.loss_scale() / static_cast<double>(end - begin));
        const auto of_second = model.gradient(1);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            for (std::size_t o = 0; o < outputs; ++o) {
                float sum = -rows[i].y[o];
                for (std::size_t h = 0; h < hidden; ++h) {
                    sum += second[o * hidden + h] * forward[i].units[h];
                }
                forward[i].errors[o] = sum;
                loss += double{sum} * double{sum};
                for (std::size_t h = 0; h < hidden; ++h) {
                    of_second[o * hidden + h] += share * sum * forward[i].units[h];
                }
            }
        }
        model.reduce(1);
        const auto of_first = model.gradient(0);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            for (std::size_t h = 0; h < hidden; ++h) {
                float back = 0;
                for (std::size_t o = 0; o < outputs; ++o) {
                    back += second[o * hidden + h] * forward[i].errors[o];
                }
                back *= 1 - forward[i].units[h] * forward[i].units[h];
                for (std::size_t k = 0; k < inputs; ++k) {
                    of_first[h * inputs + k] += share * back * rows[i].x[k];
                }
            }
        }
        model.release(1);
        model.reduce(0);
        (void)model.step();
        (step == 0 ? trained.first_loss : trained.last_loss) =
            loss / static_cast<double>(rows.size());
    }
    trained.held = model.held();
    trained.peak_bytes = model.peak_bytes();
    for (const std::size_t layer : {0U, 1U}) {
        const auto values = model.gather(layer);
        trained.parameters.insert(trained.parameters.end(), values.begin(), values.end());
        model.release(layer);
    }
    return trained;
}

} // namespace muster::test
