// Data-parallel training: every member computes gradients on its piece of each batch, and all make
// the same update with the average.

#include "fit.hpp"

#include <muster/data/batch_plan.hpp>
#include <muster/train/gradient_reducer.hpp>

namespace data = muster::data;
namespace train = muster::train;

Plane fit(muster::Communicator& ranks,
          const std::vector<Observation>& observations,
          std::uint64_t batch_size,
          std::uint64_t steps) {
    const data::BatchPlan plan(observations.size(),
                               batch_size,
                               /*seed=*/1,
                               {.rank = static_cast<std::uint32_t>(ranks.rank()),
                                .world = static_cast<std::uint32_t>(ranks.size())});
    Plane plane;
    const std::vector<train::ParameterView> parameters{std::span<double>(plane.slope),
                                                       std::span<double>(plane.offset)};
    train::broadcast_parameters(ranks, parameters); // where they do not start out equal
    Plane gradient;
    train::GradientReducer reducer(
        ranks, {std::span<double>(gradient.slope), std::span<double>(gradient.offset)});
    std::vector<std::uint64_t> rows;
    for (std::uint64_t step = 0; step < steps; ++step) {
        const auto at = plan.position(step);
        plan.indices(at.epoch, at.batch, rows);
        reducer.begin(rows.size());
        gradient = {};
        for (const std::uint64_t row : rows) {
            const auto [x, y, z] = observations[row];
            const double error = plane.slope[0] * x + plane.slope[1] * y + plane.offset[0] - z;
            const auto share = 1 / static_cast<double>(rows.size());
            gradient.slope[0] += share * error * x;
            gradient.slope[1] += share * error * y;
            gradient.offset[0] += share * error;
        }
        reducer.mark_ready(1); // as soon as it is complete: its reduction runs meanwhile
        reducer.mark_ready(0);
        (void)reducer.finish(); // now all have the gradient of the whole batch
        plane.slope[0] -= 0.1 * gradient.slope[0];
        plane.slope[1] -= 0.1 * gradient.slope[1];
        plane.offset[0] -= 0.1 * gradient.offset[0];
    }
    return plane;
}
