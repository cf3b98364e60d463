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

std::vector<Tensor> tensors_of(const std::vector<ParameterView>& views) {
    return {views.begin(), views.end()};
}

GradientShape shape_of(const Tensor& gradient) {
    return {.size_bytes = gradient.size_bytes(),
            .type = gradient.type,
            .device = gradient.device.kind == Device::Kind::cpu ? 0 : gradient.device.index + 1};
}

/// A shape in one number, exact.
std::uint64_t encode(const GradientShape& shape) {
    return shape.size_bytes << 16U | static_cast<std::uint64_t>(shape.device) << 8U |
           static_cast<std::uint64_t>(shape.type);
}

/// One number for all shapes.
std::uint64_t digest(const std::vector<GradientShape>& shapes) {
    std::uint64_t state = mix64(shapes.size());
    for (const GradientShape& shape : shapes) {
        state = mix64(state + encode(shape) + 1);
    }
    return state;
}

std::uint64_t digest(const ReducerOptions& options) {
    std::uint64_t state = mix64(options.find_unused ? 2 : 1);
    if (options.hook) {
        for (const char letter : options.hook->name()) {
            state = mix64(state + static_cast<std::uint64_t>(letter));
        }
    }
    return state;
}

/// "member 2", "members 1, 2 and 4 more"
std::string members_text(const std::vector<std::size_t>& members) {
    constexpr std::size_t named_max = 10;
    std::string text = members.size() == 1 ? "member" : "members";
    for (std::size_t i = 0; i < std::min(members.size(), named_max); ++i) {
        text += fmt::format("{} {}", i == 0 ? "" : ",", members[i]);
    }
    return members.size() > named_max
               ? fmt::format("{} and {} more", text, members.size() - named_max)
               : text;
}

std::string shape_text(std::uint64_t code) {
    const auto type = static_cast<ElementType>(code & 0xffU);
    const std::uint64_t device = code >> 8U & 0xffU;
    return fmt::format("{} elements of {}{}",
                       (code >> 16U) / size_bytes_of(type),
                       name_of(type),
                       device == 0 ? "" : fmt::format(" on GPU {}", device - 1));
}

template <class T>
void write_weighted(std::span<const T> from, T weight, bool is_sum, T* to) {
    if (is_sum) {
        for (std::size_t i = 0; i < from.size(); ++i) {
            to[i] += from[i] * weight;
        }
    } else {
        for (std::size_t i = 0; i < from.size(); ++i) {
            to[i] = from[i] * weight;
        }
    }
}

/// Narrow gradients are widened on the way, a block at a time.
template <class T>
void write_widened(std::span<const T> from, float weight, bool is_sum, float* to) {
    std::array<float, 1024> block;
    for (std::size_t begin = 0; begin < from.size(); begin += block.size()) {
        const std::span<const T> piece =
            from.subspan(begin, std::min(block.size(), from.size() - begin));
        const std::span<float> wide(block.data(), piece.size());
        widen(piece, wide);
        write_weighted<float>(wide, weight, is_sum, to + begin);
    }
}

template <class T>
void read_narrowed(const float* from, float divisor, std::span<T> to) {
    std::array<float, 1024> block;
    for (std::size_t begin = 0; begin < to.size(); begin += block.size()) {
        const std::span<T> piece = to.subspan(begin, std::min(block.size(), to.size() - begin));
        std::transform(from + begin, from + begin + piece.size(), block.begin(), [&](float sum) {
            return sum / divisor;
        });
        narrow(std::span<const float>(block.data(), piece.size()), piece);
    }
}

} // namespace

GradientReducer::GradientReducer(Backend& backend,
                                 std::vector<Tensor> gradients,
                                 ReducerOptions options)
    : backend_(backend), gradients_(std::move(gradients)), options_(options),
      float16_hook_(make_narrow_hook(ElementType::float16)),
      bfloat16_hook_(make_narrow_hook(ElementType::bfloat16)), places_(gradients_.size()),
      is_accumulated_(gradients_.size()), is_used_(gradients_.size()),
      is_ready_(gradients_.size()) {
    shapes_.reserve(gradients_.size());
    std::transform(gradients_.begin(), gradients_.end(), std::back_inserter(shapes_), shape_of);
    compare_members();
    for (std::size_t i = 0; i < gradients_.size(); ++i) {
        if (gradients_[i].type == ElementType::uint8 || gradients_[i].type == ElementType::uint64 ||
            gradients_[i].device.kind != Device::Kind::cpu) {
            throw UsageError(fmt::format("parameter {} has {}; gradients are floats on the CPU",
                                         i,
                                         shape_text(encode(shapes_[i]))));
        }
    }
    adopt(plan_buckets(shapes_, std::array{unlimited_bucket_bytes}));
}

GradientReducer::GradientReducer(std::unique_ptr<Backend> owned,
                                 std::vector<Tensor> gradients,
                                 ReducerOptions options)
    : GradientReducer(*owned, std::move(gradients), options) {
    owned_ = std::move(owned);
}

GradientReducer::GradientReducer(Communicator& communicator,
                                 std::vector<ParameterView> gradients,
                                 ReducerOptions options)
    : GradientReducer(make_communicator_backend(communicator), tensors_of(gradients), options) {
}

/// Events of flights before the back end that they are of.
GradientReducer::~GradientReducer() {
    flights_.clear();
    counts_event_ = {};
    used_event_ = {};
}

/// Two members with other shapes but as many bytes would add up the wrong elements unnoticed.
void GradientReducer::compare_members() const {
    const auto members = static_cast<std::size_t>(backend_.size());
    const std::array<std::uint64_t, 3> mine{digest(shapes_), gradients_.size(), digest(options_)};
    std::vector<std::uint64_t> all(mine.size() * members);
    backend_.all_gather(std::span<const std::uint64_t>(mine), std::span(all)).wait();
    std::vector<std::uint64_t> counts;
    bool is_same = true;
    std::vector<std::size_t> with_other_options;
    for (std::size_t member = 0; member < members; ++member) {
        is_same = is_same && all[3 * member] == all[0];
        counts.push_back(all[3 * member + 1]);
        if (all[3 * member + 2] != all[2]) {
            with_other_options.push_back(member);
        }
    }
    if (!is_same) {
        report_difference(counts); // all find the same, so all go there
    }
    if (!with_other_options.empty()) {
        throw UsageError(fmt::format("{} of the gang has another hook, or find_unused, than member "
                                     "0; all must pass the same options",
                                     members_text(with_other_options)));
    }
}

void GradientReducer::report_difference(std::span<const std::uint64_t> counts) const {
    const std::size_t common = *std::min_element(counts.begin(), counts.end());
    std::vector<std::uint64_t> mine;
    for (std::size_t i = 0; i < common; ++i) {
        mine.push_back(encode(shapes_[i]));
    }
    std::vector<std::uint64_t> all(common * counts.size());
    backend_.all_gather(std::span(mine), std::span(all)).wait();
    std::vector<std::size_t> others;
    std::string what;
    for (std::size_t i = 0; i < common && others.empty(); ++i) {
        for (std::size_t member = 0; member < counts.size(); ++member) {
            if (all[member * common + i] != all[i]) {
                others.push_back(member);
            }
        }
        if (!others.empty()) {
            what = fmt::format("parameter {} is the first to differ, with {} on member {} and {} "
                               "on member 0",
                               i,
                               shape_text(all[others.front() * common + i]),
                               others.front(),
                               shape_text(all[i]));
        }
    }
    if (others.empty()) {
        for (std::size_t member = 0; member < counts.size(); ++member) {
            if (counts[member] != counts.front()) {
                others.push_back(member);
            }
        }
        what = fmt::format("parameter {} is the first that not all have: member {} has {} in all, "
                           "member 0 has {}",
                           common,
                           others.front(),
                           counts[others.front()],
                           counts.front());
    }
    throw UsageError(fmt::format(
        "{} of the gang has other parameters than member 0 (this is member {}): {}; all must pass "
        "the same numbers, sizes and types in the same order",
        members_text(others),
        backend_.rank(),
        what));
}

void GradientReducer::adopt(std::vector<Bucket> plan) {
    plan_ = std::move(plan);
    flights_.clear();
    for (std::size_t bucket = 0; bucket < plan_.size(); ++bucket) {
        std::size_t elements = 0;
        for (const std::size_t parameter : plan_[bucket]) {
            places_[parameter] = {bucket, elements};
            elements += gradients_[parameter].elements;
        }
    }
    if (backend_.size() > 1) {
        make_flights();
    }
}

void GradientReducer::make_flights() {
    for (const Bucket& bucket : plan_) {
        const std::size_t last = bucket.back();
        const std::size_t elements = places_[last].offset + gradients_[last].elements;
        Flight& flight = flights_.emplace_back();
        if (shapes_[last].type == ElementType::float64) {
            flight.values.emplace<std::vector<double>>(elements);
        } else {
            flight.values.emplace<std::vector<float>>(elements);
        }
    }
}

std::uint64_t GradientReducer::held_bytes() const {
    std::uint64_t bytes = 0;
    for (const Flight& flight : flights_) {
        bytes += std::visit([](const auto& values) { return values.size() * sizeof(values[0]); },
                            flight.values);
    }
    return bytes;
}

void GradientReducer::begin() {
    begin_step(std::nullopt, false);
}

void GradientReducer::begin(std::uint64_t samples) {
    begin_step(samples, false);
    send_counts(true);
}

void GradientReducer::begin_accumulation() {
    begin_step(std::nullopt, true);
}

void GradientReducer::begin_accumulation(std::uint64_t samples) {
    begin_step(samples, true);
}

void GradientReducer::begin_step(std::optional<std::uint64_t> samples, bool is_accumulation) {
    if (is_running_) {
        const std::string missing = missing_parameters();
        throw UsageError(fmt::format(
            "a step was begun before the one before was finished{}{}; call finish() after every "
            "backward pass",
            missing.empty() ? "" : ": not ready were ",
            missing));
    }
    if (is_accumulation && flights_.empty()) {
        make_flights();
    }
    is_running_ = true;
    is_accumulation_ = is_accumulation;
    samples_ = samples;
    std::fill(is_ready_.begin(), is_ready_.end(), false);
    ready_order_.clear();
    next_bucket_ = 0;
    for (std::size_t bucket = 0; bucket < flights_.size(); ++bucket) {
        flights_[bucket].missing = plan_[bucket].size();
        flights_[bucket].is_averaged = false;
    }
    for (std::size_t parameter = 0; parameter < is_used_.size(); ++parameter) {
        is_used_[parameter] = is_accumulated_[parameter] ? 1 : 0;
    }
    const auto members = static_cast<std::uint64_t>(backend_.size());
    counts_ = {samples ? *samples + accumulated_samples_ : members * (1 + accumulations_), members};
}

void GradientReducer::send_counts(bool is_active) {
    counts_.active = is_active || accumulated_samples_ > 0 ? 1 : 0;
    if (backend_.size() > 1) {
        counts_event_ = backend_.all_reduce(std::span(&counts_.samples, 2));
    }
}

void GradientReducer::check_markable(std::size_t parameter) const {
    check_known(parameter);
    if (is_ready_[parameter]) {
        throw UsageError(fmt::format(
            "parameter {} was marked ready twice in one step; mark it once, when its gradient is "
            "complete: where a layer is used several times, after the last",
            parameter));
    }
}

void GradientReducer::mark_ready(std::size_t parameter) {
    check_begun("mark_ready()");
    check_markable(parameter);
    collect(parameter, true);
    launch_ready();
}

void GradientReducer::mark_unused(std::size_t parameter) {
    check_begun("mark_unused()");
    if (!options_.find_unused) {
        throw UsageError("mark_unused() needs ReducerOptions::find_unused, on all members");
    }
    check_markable(parameter);
    collect(parameter, false);
    launch_ready();
}

void GradientReducer::mark_ready(std::size_t parameter, const Tensor& gradient) {
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
void GradientReducer::collect(std::size_t parameter, bool is_used) {
    const bool counts = is_used && samples_ != 0;
    is_ready_[parameter] = true;
    ready_order_.push_back(parameter);
    is_used_[parameter] = counts || is_used_[parameter] != 0 ? 1 : 0;
    if (flights_.empty()) {
        return;
    }
    const Place place = places_[parameter];
    Flight& flight = flights_[place.bucket];
    --flight.missing;
    const Tensor& gradient = gradients_[parameter];
    const bool is_sum = is_accumulated_[parameter];
    const auto weight = static_cast<double>(samples_.value_or(1));
    std::visit(
        [&]<class T>(std::vector<T>& values) {
            T* const out = values.data() + place.offset;
            if (!counts) {
                if (!is_sum) {
                    std::fill_n(out, gradient.elements, T{0}); // 0 * NaN is no 0
                }
                return;
            }
            if constexpr (std::is_same_v<T, float>) {
                if (gradient.type == ElementType::float16) {
                    return write_widened<Float16>(
                        gradient.as<Float16>(), static_cast<float>(weight), is_sum, out);
                }
                if (gradient.type == ElementType::bfloat16) {
                    return write_widened<BFloat16>(
                        gradient.as<BFloat16>(), static_cast<float>(weight), is_sum, out);
                }
            }
            write_weighted<T>(gradient.as<T>(), static_cast<T>(weight), is_sum, out);
        },
        flight.values);
    if (is_accumulation_ && counts) {
        is_accumulated_[parameter] = true;
    }
}

void GradientReducer::launch_ready() {
    if (is_accumulation_) {
        return;
    }
    for (; next_bucket_ < flights_.size() && flights_[next_bucket_].missing == 0; ++next_bucket_) {
        if (backend_.size() > 1) {
            launch(next_bucket_);
        }
    }
}

GradientHook* GradientReducer::hook_of(ElementType type) const {
    if (type == ElementType::float64) {
        return nullptr;
    }
    if (options_.hook) {
        return options_.hook;
    }
    return type == ElementType::float16    ? float16_hook_.get()
           : type == ElementType::bfloat16 ? bfloat16_hook_.get()
                                           : nullptr;
}

/// A hook gets addends of the average: in 16 bits a sum over many samples might not fit. It waits
/// for the counts, which have been under way since the step began.
void GradientReducer::launch(std::size_t bucket) {
    Flight& flight = flights_[bucket];
    GradientHook* const hook = hook_of(shapes_[plan_[bucket].front()].type);
    if (hook == nullptr) {
        flight.event = std::visit(
            [&](auto& values) { return backend_.all_reduce(std::span(values)); }, flight.values);
        return;
    }
    counts_event_.wait();
    auto& values = std::get<std::vector<float>>(flight.values);
    const float factor = counts_.samples == 0 ? 0 : 1 / static_cast<float>(counts_.samples);
    for (float& value : values) {
        value *= factor;
    }
    std::vector<BucketPiece> pieces;
    for (const std::size_t parameter : plan_[bucket]) {
        pieces.push_back(
            {parameter,
             std::span(values).subspan(places_[parameter].offset, gradients_[parameter].elements)});
    }
    flight.is_averaged = true;
    flight.reduction = hook->reduce(values, pieces, backend_);
}

std::uint64_t GradientReducer::finish() {
    check_begun("finish()");
    if (is_accumulation_) {
        return finish_accumulation();
    }
    if (samples_ == 0) {
        for (std::size_t parameter = gradients_.size(); parameter-- > 0;) {
            if (!is_ready_[parameter]) {
                collect(parameter, false);
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
    finish_reductions();
    const std::uint64_t samples = counts_.samples;
    for (std::size_t bucket = 0; bucket < flights_.size(); ++bucket) {
        return_gradients(bucket, samples);
    }
    if (samples == 0) {
        clear_gradients();
    }
    is_running_ = false;
    std::fill(is_accumulated_.begin(), is_accumulated_.end(), false);
    accumulated_samples_ = 0;
    accumulations_ = 0;
    if (!is_rebuilt_) {
        rebuild();
    }
    return samples;
}

std::uint64_t GradientReducer::finish_accumulation() {
    is_running_ = false;
    ++accumulations_;
    accumulated_samples_ += samples_.value_or(0);
    return samples_ ? accumulated_samples_ : accumulations_;
}

/// Waits for buckets by their number, round by round: hooks start their next rounds on all members
/// in the same order, and none waits for another's.
void GradientReducer::finish_reductions() {
    if (backend_.size() > 1 && options_.find_unused) {
        used_event_ = backend_.all_reduce(std::span(is_used_), ReduceOp::max);
    }
    counts_event_.wait();
    for (bool is_under_way = true; is_under_way;) {
        is_under_way = false;
        for (Flight& flight : flights_) {
            flight.event.wait();
            if (flight.reduction && flight.reduction->advance()) {
                is_under_way = true;
            } else {
                flight.reduction.reset();
            }
        }
    }
    used_event_.wait();
}

void GradientReducer::return_gradients(std::size_t bucket, std::uint64_t samples) {
    const Flight& flight = flights_[bucket];
    for (const std::size_t parameter : plan_[bucket]) {
        const Tensor& gradient = gradients_[parameter];
        if (options_.find_unused && is_used_[parameter] == 0) {
            continue;
        }
        std::visit(
            [&]<class T>(const std::vector<T>& values) {
                const T* const sum = values.data() + places_[parameter].offset;
                const T divisor = flight.is_averaged ? T{1} : static_cast<T>(samples);
                if constexpr (std::is_same_v<T, float>) {
                    if (gradient.type == ElementType::float16) {
                        return read_narrowed(sum, divisor, gradient.as<Float16>());
                    }
                    if (gradient.type == ElementType::bfloat16) {
                        return read_narrowed(sum, divisor, gradient.as<BFloat16>());
                    }
                }
                std::transform(sum,
                               sum + gradient.elements,
                               gradient.as<T>().begin(),
                               [&](T value) { return value / divisor; });
            },
            flight.values);
    }
}

/// An average over nothing: neither 0 / 0 nor, on a gang of one, what happened to be there. A
/// gradient of a parameter that nobody used stays, where that was asked for.
void GradientReducer::clear_gradients() {
    for (std::size_t parameter = 0; parameter < gradients_.size(); ++parameter) {
        if (!options_.find_unused || is_used_[parameter] != 0) {
            const Tensor& gradient = gradients_[parameter];
            std::fill_n(
                static_cast<std::byte*>(gradient.data), gradient.size_bytes(), std::byte{0});
        }
    }
}

std::uint64_t GradientReducer::join(const std::function<void(std::uint64_t samples)>& update) {
    for (std::uint64_t steps = 0;; ++steps) {
        begin_step(0, false);
        send_counts(false);
        counts_event_.wait();
        if (counts_.active == 0) {
            is_running_ = false;
            return steps;
        }
        const std::uint64_t samples = finish();
        if (update) {
            update(samples);
        }
    }
}

/// Member 0 has seen in which order gradients get ready. Others may have seen another, so they take
/// its word.
void GradientReducer::rebuild() {
    std::vector<std::uint64_t> order(ready_order_.begin(), ready_order_.end());
    backend_.broadcast(std::span(order), 0).wait();
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
