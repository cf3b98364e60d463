#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/train/gradient_reducer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

namespace muster::train {
namespace {

GradientShape shape_of(const ParameterView& view) {
    return std::visit(
        [](const auto& values) {
            return GradientShape{.size_bytes = values.size_bytes(),
                                 .type = sizeof(values[0]) == sizeof(float) ? ElementType::float32
                                                                            : ElementType::float64};
        },
        view);
}

std::size_t elements_of(const ParameterView& view) {
    return std::visit([](const auto& values) { return values.size(); }, view);
}

/// One number for number, sizes and types of all parameters.
std::uint64_t digest(const std::vector<GradientShape>& shapes) {
    std::uint64_t state = mix64(shapes.size());
    for (const GradientShape& shape : shapes) {
        state = mix64(state + shape.size_bytes);
        state = mix64(state + static_cast<std::uint64_t>(shape.type) + 1);
    }
    return state;
}

} // namespace

GradientReducer::GradientReducer(Communicator& communicator,
                                 std::vector<ParameterView> gradients,
                                 ReducerOptions options)
    : communicator_(communicator), gradients_(std::move(gradients)), options_(options),
      places_(gradients_.size()), is_ready_(gradients_.size()) {
    shapes_.reserve(gradients_.size());
    std::transform(gradients_.begin(), gradients_.end(), std::back_inserter(shapes_), shape_of);
    compare_members();
    adopt(plan_buckets(shapes_, std::array{unlimited_bucket_bytes}));
}

/// Two members with other shapes but as many bytes would add up the wrong elements unnoticed.
void GradientReducer::compare_members() const {
    const std::uint64_t mine = digest(shapes_);
    std::vector<std::uint64_t> all(static_cast<std::size_t>(communicator_.size()));
    communicator_.all_gather(std::span(&mine, 1), std::span(all));
    const auto other = std::find_if(
        all.begin(), all.end(), [&](std::uint64_t digest) { return digest != all.front(); });
    if (other != all.end()) {
        throw UsageError(fmt::format(
            "member {} of the gang has other parameters than member 0 (member {}, this one, has "
            "{}); all must pass the same numbers, sizes and types in the same order",
            other - all.begin(),
            communicator_.rank(),
            gradients_.size()));
    }
}

void GradientReducer::adopt(std::vector<Bucket> plan) {
    plan_ = std::move(plan);
    flights_.clear();
    for (std::size_t bucket = 0; bucket < plan_.size(); ++bucket) {
        std::size_t elements = 0;
        for (const std::size_t parameter : plan_[bucket]) {
            places_[parameter] = {bucket, elements};
            elements += elements_of(gradients_[parameter]);
        }
        if (communicator_.size() == 1) {
            continue;
        }
        Flight& flight = flights_.emplace_back();
        if (shapes_[plan_[bucket].front()].type == ElementType::float32) {
            flight.values.emplace<std::vector<float>>(elements);
        } else {
            flight.values.emplace<std::vector<double>>(elements);
        }
    }
}

void GradientReducer::begin() {
    begin_step(std::nullopt);
}

void GradientReducer::begin(std::uint64_t samples) {
    begin_step(samples);
    samples_of_all_ = samples;
    if (communicator_.size() == 1) {
        return;
    }
    sample_request_ = communicator_.all_reduce_async(std::span(&samples_of_all_, 1));
}

void GradientReducer::begin_step(std::optional<std::uint64_t> samples) {
    if (is_running_) {
        const std::string missing = missing_parameters();
        throw UsageError(fmt::format(
            "a step was begun before the one before was finished{}{}; call finish() after every "
            "backward pass",
            missing.empty() ? "" : ": not ready were ",
            missing));
    }
    is_running_ = true;
    samples_ = samples;
    std::fill(is_ready_.begin(), is_ready_.end(), false);
    ready_order_.clear();
    next_bucket_ = 0;
    for (std::size_t bucket = 0; bucket < flights_.size(); ++bucket) {
        flights_[bucket].missing = plan_[bucket].size();
    }
}

void GradientReducer::mark_ready(std::size_t parameter) {
    check_begun("mark_ready()");
    check_known(parameter);
    if (is_ready_[parameter]) {
        throw UsageError(fmt::format(
            "parameter {} was marked ready twice in one step; mark it once, when its gradient is "
            "complete: where a layer is used several times, after the last",
            parameter));
    }
    collect(parameter);
    launch_ready();
}

void GradientReducer::mark_ready(std::size_t parameter, ParameterView gradient) {
    check_known(parameter);
    const GradientShape shape = shape_of(gradient);
    if (shape.size_bytes != shapes_[parameter].size_bytes ||
        shape.type != shapes_[parameter].type) {
        throw UsageError(fmt::format("the gradient of parameter {} has {} bytes of another size or "
                                     "type than the {} that it was announced with",
                                     parameter,
                                     shape.size_bytes,
                                     shapes_[parameter].size_bytes));
    }
    if (!is_ready_[parameter]) { // else the other call says what is wrong
        gradients_[parameter] = gradient;
    }
    mark_ready(parameter);
}

/// Puts a gradient into its bucket, weighted.
void GradientReducer::collect(std::size_t parameter) {
    is_ready_[parameter] = true;
    ready_order_.push_back(parameter);
    if (flights_.empty()) {
        return;
    }
    const Place place = places_[parameter];
    Flight& flight = flights_[place.bucket];
    --flight.missing;
    std::visit(
        [&]<class T>(const std::span<T>& gradient) {
            T* out = std::get<std::vector<T>>(flight.values).data() + place.offset;
            if (samples_ == 0) {
                std::fill_n(out, gradient.size(), T{0}); // 0 * NaN is no 0
            } else {
                const T weight = static_cast<T>(samples_.value_or(1));
                std::transform(
                    gradient.begin(), gradient.end(), out, [&](T value) { return value * weight; });
            }
        },
        gradients_[parameter]);
}

void GradientReducer::launch_ready() {
    for (; next_bucket_ < flights_.size() && flights_[next_bucket_].missing == 0; ++next_bucket_) {
        Flight& flight = flights_[next_bucket_];
        flight.request = std::visit(
            [&]<class T>(std::vector<T>& values) {
                return communicator_.all_reduce_async(std::span<T>(values));
            },
            flight.values);
    }
}

std::uint64_t GradientReducer::finish() {
    check_begun("finish()");
    if (samples_ == 0) {
        for (std::size_t parameter = gradients_.size(); parameter-- > 0;) {
            if (!is_ready_[parameter]) {
                collect(parameter);
            }
        }
        launch_ready();
    }
    if (ready_order_.size() < gradients_.size()) {
        throw UsageError(fmt::format(
            "finish() was called, but not all gradients are ready: {} of {} parameters were not "
            "marked: {}; mark those the step did not use too, with a gradient of 0",
            gradients_.size() - ready_order_.size(),
            gradients_.size(),
            missing_parameters()));
    }
    sample_request_.wait();
    const std::uint64_t samples =
        samples_ ? samples_of_all_ : static_cast<std::uint64_t>(communicator_.size());
    for (std::size_t bucket = 0; bucket < flights_.size(); ++bucket) {
        flights_[bucket].request.wait();
        return_gradients(bucket, samples);
    }
    if (samples == 0) {
        clear_gradients();
    }
    is_running_ = false;
    if (!is_rebuilt_) {
        rebuild();
    }
    return samples;
}

void GradientReducer::return_gradients(std::size_t bucket, std::uint64_t samples) {
    for (const std::size_t parameter : plan_[bucket]) {
        std::visit(
            [&]<class T>(const std::span<T>& gradient) {
                const T* sum = std::get<std::vector<T>>(flights_[bucket].values).data() +
                               places_[parameter].offset;
                const T divisor = static_cast<T>(samples);
                std::transform(sum, sum + gradient.size(), gradient.begin(), [&](T value) {
                    return value / divisor;
                });
            },
            gradients_[parameter]);
    }
}

/// An average over nothing: neither 0 / 0 nor, on a gang of one, what happened to be there.
void GradientReducer::clear_gradients() {
    for (const ParameterView& gradient : gradients_) {
        std::visit(
            []<class T>(const std::span<T>& values) {
                std::fill(values.begin(), values.end(), T{0});
            },
            gradient);
    }
}

/// Member 0 has seen in which order gradients get ready. Others may have seen another, so they take
/// its word.
void GradientReducer::rebuild() {
    std::vector<std::uint64_t> order(ready_order_.begin(), ready_order_.end());
    communicator_.broadcast(std::span(order), 0);
    const std::vector<std::size_t> ready_order(order.begin(), order.end());
    adopt(plan_buckets(
        shapes_, std::array{options_.first_bucket_bytes, options_.bucket_bytes}, ready_order));
    is_rebuilt_ = true;
}

void GradientReducer::check_begun(std::string_view call) const {
    if (!is_running_) {
        throw UsageError(fmt::format("{} was called outside a step; call begin() first", call));
    }
}

void GradientReducer::check_known(std::size_t parameter) const {
    if (parameter >= gradients_.size()) {
        throw UsageError(fmt::format("parameter {} was marked ready, but there are {}, numbered "
                                     "from 0",
                                     parameter,
                                     gradients_.size()));
    }
}

/// "0, 3, 7 and 12 more"
std::string GradientReducer::missing_parameters() const {
    constexpr std::size_t named_max = 10;
    std::string text;
    std::size_t missing = 0;
    for (std::size_t parameter = 0; parameter < is_ready_.size(); ++parameter) {
        if (is_ready_[parameter]) {
            continue;
        }
        if (++missing <= named_max) {
            text += fmt::format("{}{}", text.empty() ? "" : ", ", parameter);
        }
    }
    return missing > named_max ? fmt::format("{} and {} more", text, missing - named_max) : text;
}

} // namespace muster::train
