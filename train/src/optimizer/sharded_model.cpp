#include <muster/base/error.hpp>
#include <muster/train/sharded_model.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace muster::train {
namespace {

/// Returns the memory, as clear() does not.
void free_memory(std::vector<float>& values) {
    std::vector<float>().swap(values);
}

void multiply(std::span<float> values, float factor) {
    for (float& value : values) {
        value *= factor;
    }
}

} // namespace

ShardedModel::ShardedModel(Backend& backend,
                           std::vector<std::size_t> layers,
                           const OptimizerFactory& optimizer,
                           ShardedOptions options)
    : backend_(backend), options_(options) {
    if (options_.scaling) {
        scaler_.emplace(*options_.scaling);
    }
    const auto members = static_cast<std::size_t>(backend_.size());
    for (const std::size_t elements : layers) {
        Layer& layer = layers_.emplace_back();
        layer.elements = elements;
        layer.part = (elements + members - 1) / members;
        layer.optimizer = optimizer();
        (shards(Sharding::parameters) ? layer.shard : layer.full)
            .resize(layer.part * (shards(Sharding::parameters) ? 1 : members));
        if (shards(Sharding::gradients)) {
            layer.reduced.resize(layer.part);
        } else {
            layer.gradient.resize(layer.part * members);
        }
    }
    note_peak();
}

ShardedModel::~ShardedModel() = default;

ShardedModel::Layer& ShardedModel::at(std::size_t layer) {
    if (layer >= layers_.size()) {
        throw UsageError(
            fmt::format("layer {} of a model of {}, numbered from 0", layer, layers_.size()));
    }
    return layers_[layer];
}

std::span<float> ShardedModel::own(std::vector<float>& full, const Layer& layer) const {
    return std::span(full).subspan(static_cast<std::size_t>(backend_.rank()) * layer.part,
                                   layer.part);
}

std::span<float> ShardedModel::parameters_to_update(Layer& layer) const {
    return shards(Sharding::parameters) ? std::span(layer.shard)
           : shards(Sharding::state)    ? own(layer.full, layer)
                                        : std::span(layer.full);
}

std::span<float> ShardedModel::gradients_to_use(Layer& layer) const {
    return shards(Sharding::gradients) ? std::span(layer.reduced)
           : shards(Sharding::state)   ? own(layer.gradient, layer)
                                       : std::span(layer.gradient);
}

void ShardedModel::assign(std::size_t index, std::span<const float> values) {
    Layer& layer = at(index);
    if (values.size() != layer.elements) {
        throw UsageError(fmt::format(
            "layer {} has {} elements, and {} were given", index, layer.elements, values.size()));
    }
    std::vector<float> full(layer.part * static_cast<std::size_t>(backend_.size()));
    std::copy(values.begin(), values.end(), full.begin());
    backend_.broadcast(std::span(full), 0).wait();
    if (shards(Sharding::parameters)) {
        const std::span<float> part = own(full, layer);
        std::copy(part.begin(), part.end(), layer.shard.begin());
    } else {
        layer.full = std::move(full);
    }
}

void ShardedModel::prefetch(std::size_t index) {
    Layer& layer = at(index);
    if (!shards(Sharding::parameters) || !layer.full.empty() || layer.elements == 0) {
        return;
    }
    layer.full.resize(layer.part * static_cast<std::size_t>(backend_.size()));
    note_peak();
    layer.gathering = backend_.all_gather(std::span(layer.shard), std::span(layer.full));
}

std::span<const float> ShardedModel::gather(std::size_t index) {
    prefetch(index);
    Layer& layer = at(index);
    layer.gathering.wait();
    return std::span(layer.full).first(layer.elements);
}

void ShardedModel::release(std::size_t index) {
    Layer& layer = at(index);
    if (shards(Sharding::parameters)) {
        layer.gathering.wait();
        free_memory(layer.full);
    }
}

void ShardedModel::begin(std::uint64_t samples) {
    if (is_running_) {
        throw UsageError("a step of a sharded model was begun before the one before was taken");
    }
    is_running_ = true;
    samples_ = samples;
    samples_of_all_ = samples;
    samples_event_ = backend_.all_reduce(std::span(&samples_of_all_, 1));
    for (Layer& layer : layers_) {
        layer.is_reduced = false;
        std::fill(layer.gradient.begin(), layer.gradient.end(), 0.0F);
    }
}

std::span<float> ShardedModel::gradient(std::size_t index) {
    Layer& layer = at(index);
    if (!is_running_ || layer.is_reduced) {
        throw UsageError(fmt::format("the gradient of layer {} was asked for outside of a step, or "
                                     "after it was reduced",
                                     index));
    }
    if (layer.gradient.empty()) {
        layer.gradient.resize(layer.part * static_cast<std::size_t>(backend_.size()));
        note_peak();
    }
    return std::span(layer.gradient).first(layer.elements);
}

void ShardedModel::reduce(std::size_t index) {
    const std::span<float> own_gradient = gradient(index);
    Layer& layer = layers_[index];
    if (samples_ == 0) {
        std::fill(own_gradient.begin(), own_gradient.end(), 0.0F); // 0 * NaN is no 0
    } else {
        multiply(own_gradient, static_cast<float>(samples_));
    }
    layer.is_reduced = true;
    if (!shards(Sharding::gradients)) {
        layer.reducing = backend_.all_reduce(std::span(layer.gradient));
        return;
    }
    while (!under_way_.empty()) {
        finish_reducing(layers_[under_way_.back()]);
        under_way_.pop_back();
    }
    layer.reducing = backend_.reduce_scatter(std::span(layer.gradient), std::span(layer.reduced));
    under_way_.push_back(index);
}

void ShardedModel::finish_reducing(Layer& layer) {
    layer.reducing.wait();
    if (shards(Sharding::gradients)) {
        free_memory(layer.gradient);
    }
}

/// Of the sums over samples. Not finite on one member, not finite on all.
double ShardedModel::squares_of_all() {
    double squares = 0;
    for (Layer& layer : layers_) {
        squares += sum_of_squares(gradients_to_use(layer));
    }
    if (shards(Sharding::state)) {
        backend_.all_reduce(std::span(&squares, 1)).wait();
    }
    return squares;
}

ShardedModel::Step ShardedModel::step() {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        if (!is_running_ || !layers_[i].is_reduced) {
            throw UsageError(
                fmt::format("a step was to be taken, but layer {} was not reduced", i));
        }
    }
    samples_event_.wait();
    for (Layer& layer : layers_) {
        finish_reducing(layer);
    }
    under_way_.clear();
    is_running_ = false;
    Step step{.samples = samples_of_all_, .norm = {}, .is_taken = samples_of_all_ > 0};
    if (!step.is_taken) {
        return step;
    }
    double factor = 1 / (static_cast<double>(samples_of_all_) * loss_scale());
    if (options_.norm_max || scaler_) {
        const double squares = squares_of_all() * factor * factor;
        step.norm = std::sqrt(squares);
        if (scaler_) {
            step.is_taken = scaler_->update(std::isfinite(squares));
        }
        if (options_.norm_max) {
            factor *= clip_factor(squares, *options_.norm_max);
        }
    }
    if (!step.is_taken) {
        return step;
    }
    std::vector<Event> gathering;
    for (Layer& layer : layers_) {
        multiply(gradients_to_use(layer), static_cast<float>(factor));
        layer.optimizer->step(parameters_to_update(layer), gradients_to_use(layer));
        if (shards(Sharding::parameters)) {
            layer.gathering.wait();
            free_memory(layer.full); // what was gathered is of the step before
        } else if (shards(Sharding::state)) {
            gathering.push_back(backend_.all_gather(own(layer.full, layer), std::span(layer.full)));
        }
    }
    note_peak();
    for (Event& event : gathering) {
        event.wait();
    }
    return step;
}

void ShardedModel::set_learning_rate(double rate) {
    for (Layer& layer : layers_) {
        layer.optimizer->set_learning_rate(rate);
    }
}

HeldBytes ShardedModel::held() const {
    HeldBytes bytes;
    for (const Layer& layer : layers_) {
        bytes.parameters += (layer.full.size() + layer.shard.size()) * sizeof(float);
        bytes.gradients += (layer.gradient.size() + layer.reduced.size()) * sizeof(float);
        bytes.state += layer.optimizer->held_bytes();
    }
    return bytes;
}

void ShardedModel::note_peak() {
    peak_bytes_ = std::max(peak_bytes_, held().total());
}

} // namespace muster::train
