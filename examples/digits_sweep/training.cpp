#include "digits_sweep/training.hpp"

#include <muster/base/assert.hpp>
#include <muster/train/parameter.hpp>

#include <array>
#include <cmath>
#include <numbers>

namespace digits {
namespace {

muster::data::Shard shard_of(const muster::Communicator& ranks) {
    return {.rank = static_cast<std::uint32_t>(ranks.rank()),
            .world = static_cast<std::uint32_t>(ranks.size())};
}

/// The networks are small: with the reducer's own sizes nothing would be sent before the last
/// gradient is there. With this, the upper layers of wide ones are on their way meanwhile.
constexpr std::uint64_t bucket_bytes = 64U << 10U;

std::vector<muster::train::ParameterView> parameters_of(const TrialConfig& config,
                                                        std::span<float> values) {
    const auto layers = layers_of(config, values);
    return {layers.begin(), layers.end()};
}

} // namespace

double cosine_rate(double peak, double progress) {
    return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

Trainer::Trainer(muster::Communicator& ranks,
                 const TrialConfig& config,
                 const DigitsData& data,
                 Part part,
                 int epochs)
    : ranks_(ranks), config_(config), epochs_(epochs),
      loader_(data.batches(part, config.batch_size, config.seed, shard_of(ranks))),
      gradient_(parameter_count(config)),
      reducer_(ranks,
               parameters_of(config, gradient_),
               {.first_bucket_bytes = bucket_bytes, .bucket_bytes = bucket_bytes}) {
}

ModelState Trainer::initial_state() {
    ModelState state = digits::initial_state(config_);
    // Members draw the same numbers; but on nodes of different make the mathematical library may
    // round a logarithm differently.
    muster::train::broadcast_parameters(ranks_, parameters_of(config_, state.weights));
    return state;
}

void Trainer::train_epoch(ModelState& state) {
    MUSTER_ASSERT(state.epoch < epochs_);
    ranks_.barrier(); // a gang of one sends nothing below, so that it hears here if it is to stop
    const auto epoch = static_cast<std::uint64_t>(state.epoch);
    Images images;
    const std::uint64_t batches = loader_.batches();
    loader_.seek(epoch * batches); // whoever trained this state before stopped between epochs
    for (std::uint64_t batch = 0; batch < batches; ++batch) {
        take_images(*loader_.next(), images);
        reducer_.begin(images.labels.size());
        if (!images.labels.empty()) { // a last, short batch may have no piece for everybody
            loss_and_gradient(config_,
                              state.weights,
                              {images.images, images.labels},
                              gradient_,
                              [this](std::size_t layer) { reducer_.mark_ready(layer); });
        }
        (void)reducer_.finish();
        const double epochs_done =
            state.epoch + static_cast<double>(batch) / static_cast<double>(batches);
        descend(state, gradient_, cosine_rate(config_.learning_rate, epochs_done / epochs_));
    }
    ++state.epoch;
}

Evaluation evaluate_part(muster::Communicator& ranks,
                         const TrialConfig& config,
                         const ModelState& state,
                         const DigitsData& data,
                         Part part) {
    const Images images = data.read(part, shard_of(ranks));
    Tally tally = judge(config, state.weights, {images.images, images.labels});
    std::array counts{tally.right, tally.images};
    ranks.all_reduce(std::span<std::uint64_t>(counts));
    ranks.all_reduce(std::span(&tally.loss, 1));
    return evaluation_of({tally.loss, counts[0], counts[1]});
}

} // namespace digits
