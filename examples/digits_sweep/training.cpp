#include "digits_sweep/training.hpp"

#include <muster/base/assert.hpp>

#include <cmath>
#include <numbers>

namespace digits {

double cosine_rate(double peak, double progress) {
    return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

ModelState train_epoch(
    const TrialConfig& config, ModelState state, const DigitsData& data, Part part, int epochs) {
    MUSTER_ASSERT(state.epoch < epochs);
    const muster::data::BatchLoader loader = data.batches(part, config.batch_size, config.seed);
    const auto epoch = static_cast<std::uint64_t>(state.epoch);
    Images images;
    for (std::uint64_t batch = 0; batch < loader.batches(); ++batch) {
        read_images(loader, loader.rows(epoch, batch), images);
        const double epochs_done =
            state.epoch + static_cast<double>(batch) / static_cast<double>(loader.batches());
        train_batch(config,
                    state,
                    {images.images, images.labels},
                    cosine_rate(config.learning_rate, epochs_done / epochs));
    }
    ++state.epoch;
    return state;
}

Evaluation evaluate_part(const TrialConfig& config,
                         const ModelState& state,
                         const DigitsData& data,
                         Part part) {
    const Images images = data.read(part);
    return evaluate(config, state.weights, {images.images, images.labels});
}

} // namespace digits
