#include "contract.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace muster::test {
namespace {

using train::Backend;
using train::BFloat16;
using train::Event;
using train::Float16;

template <class T>
T make(double value) {
    if constexpr (std::is_same_v<T, Float16>) {
        return train::to_float16(static_cast<float>(value));
    } else if constexpr (std::is_same_v<T, BFloat16>) {
        return train::to_bfloat16(static_cast<float>(value));
    } else {
        return static_cast<T>(value);
    }
}

template <class T>
double value_of(T element) {
    if constexpr (std::is_arithmetic_v<T>) {
        return static_cast<double>(element);
    } else {
        return static_cast<double>(train::to_float(element));
    }
}

/// Small integers: their sums over up to 7 members are exact in every type, uint8 and bfloat16 too.
double element(int member, std::size_t index) {
    return static_cast<double>((static_cast<std::size_t>(member) * 5 + index * 7) % 16);
}

double sum_of(const Backend& backend, std::size_t index) {
    double sum = 0;
    for (int member = 0; member < backend.size(); ++member) {
        sum += element(member, index);
    }
    return sum;
}

template <class T>
std::vector<T> data_of(int member, std::size_t size) {
    std::vector<T> data(size);
    for (std::size_t i = 0; i < size; ++i) {
        data[i] = make<T>(element(member, i));
    }
    return data;
}

template <class T, class Expected>
void compare(const Backend& backend, const std::vector<T>& data, Expected expected) {
    for (std::size_t i = 0; i < data.size(); ++i) {
        if (value_of(data[i]) != expected(i)) {
            violated(backend,
                     fmt::format("element {} of {} of type {} is {}, not {}",
                                 i,
                                 data.size(),
                                 train::name_of(train::Tensor(std::span<T>()).type),
                                 value_of(data[i]),
                                 expected(i)));
        }
    }
}

constexpr std::array<std::size_t, 6> sizes{0, 1, 3, 64, 1000, 70001};

template <class T>
void sums(Backend& backend) {
    for (const std::size_t size : sizes) {
        auto data = data_of<T>(backend.rank(), size);
        backend.all_reduce(std::span(data)).wait();
        compare(backend, data, [&](std::size_t i) { return sum_of(backend, i); });
    }
}

void all_reduce_sums_every_type(Backend& backend) {
    sums<float>(backend);
    sums<double>(backend);
    sums<Float16>(backend);
    sums<BFloat16>(backend);
    sums<std::uint8_t>(backend);
    sums<std::uint64_t>(backend);
}

void all_reduce_finds_extremes(Backend& backend) {
    const int last = backend.size() - 1;
    std::vector<float> data{static_cast<float>(backend.rank()), 3};
    backend.all_reduce(std::span(data), ReduceOp::max).wait();
    compare(backend, data, [&](std::size_t i) { return i == 0 ? last : 3; });
    std::vector<std::uint8_t> flags{static_cast<std::uint8_t>(backend.rank() == last ? 0 : 1), 1};
    backend.all_reduce(std::span(flags), ReduceOp::min).wait();
    compare(backend, flags, [](std::size_t i) { return static_cast<double>(i); });
}

template <class T>
void scatter(Backend& backend) {
    for (const std::size_t size : sizes) {
        const auto members = static_cast<std::size_t>(backend.size());
        const auto self = static_cast<std::size_t>(backend.rank());
        const auto data = data_of<T>(backend.rank(), members * size);
        std::vector<T> part(size);
        backend.reduce_scatter(std::span(data), std::span(part)).wait();
        compare(backend, part, [&](std::size_t i) { return sum_of(backend, self * size + i); });
        compare(backend, data, [&](std::size_t i) { return element(backend.rank(), i); });
    }
}

void reduce_scatter_sums_every_part(Backend& backend) {
    scatter<float>(backend);
    scatter<double>(backend);
    scatter<Float16>(backend);
    scatter<BFloat16>(backend);
}

template <class T>
void gather(Backend& backend) {
    for (const std::size_t size : sizes) {
        const auto members = static_cast<std::size_t>(backend.size());
        const auto data = data_of<T>(backend.rank(), size);
        std::vector<T> all(members * size);
        backend.all_gather(std::span(data), std::span(all)).wait();
        compare(backend, all, [&](std::size_t i) {
            return element(static_cast<int>(i / size), i % size);
        });
        // The part may lie where it goes.
        std::fill(all.begin(), all.end(), T{});
        const std::span<T> mine =
            std::span(all).subspan(static_cast<std::size_t>(backend.rank()) * size, size);
        std::copy(data.begin(), data.end(), mine.begin());
        backend.all_gather(mine, std::span(all)).wait();
        compare(backend, all, [&](std::size_t i) {
            return element(static_cast<int>(i / size), i % size);
        });
    }
}

void all_gather_brings_every_part(Backend& backend) {
    gather<float>(backend);
    gather<double>(backend);
    gather<BFloat16>(backend);
    gather<std::uint8_t>(backend);
}

void broadcast_comes_from_any_root(Backend& backend) {
    for (int root = 0; root < backend.size(); ++root) {
        auto words = data_of<Float16>(backend.rank(), 501);
        auto values = data_of<double>(backend.rank(), 501);
        Event first = backend.broadcast(std::span(words), root);
        Event second = backend.broadcast(std::span(values), root);
        first.wait();
        second.wait();
        compare(backend, words, [&](std::size_t i) { return element(root, i); });
        compare(backend, values, [&](std::size_t i) { return element(root, i); });
    }
}

void many_calls_are_under_way_at_once(Backend& backend) {
    constexpr std::size_t calls = 24;
    std::vector<std::vector<float>> wide;
    std::vector<std::vector<BFloat16>> narrow;
    std::vector<Event> events;
    for (std::size_t i = 0; i < calls; ++i) {
        wide.push_back(data_of<float>(backend.rank(), 100 * i));
        narrow.push_back(data_of<BFloat16>(backend.rank(), 77 * i));
    }
    for (std::size_t i = 0; i < calls; ++i) {
        events.push_back(backend.all_reduce(std::span(wide[i])));
        events.push_back(backend.all_reduce(std::span(narrow[i])));
    }
    // Awaited in another order on every member.
    for (std::size_t i = 0; i < events.size(); ++i) {
        events[(i * 5 + static_cast<std::size_t>(backend.rank()) * 11) % events.size()].wait();
    }
    for (std::size_t i = 0; i < calls; ++i) {
        compare(backend, wide[i], [&](std::size_t j) { return sum_of(backend, j); });
        compare(backend, narrow[i], [&](std::size_t j) { return sum_of(backend, j); });
    }
}

void an_event_turns_true_without_waiting(Backend& backend) {
    auto data = data_of<BFloat16>(backend.rank(), 5000);
    Event event = backend.all_reduce(std::span(data));
    while (!event.test()) {
    }
    compare(backend, data, [&](std::size_t i) { return sum_of(backend, i); });
    event.wait(); // of no effect
}

// 4096 + 1 is no float16 (its neighbours are 4 apart), so sums rounded at every member lose all
// the ones, while the float32 sum is rounded once. For 2 members there is one addition only.
void narrow_sums_are_rounded_once(Backend& backend) {
    std::vector<Float16> data{make<Float16>(backend.rank() == 0 ? 4096 : 1)};
    backend.all_reduce(std::span(data)).wait();
    const auto once = train::to_float16(4096.0F + static_cast<float>(backend.size() - 1));
    compare(backend, data, [&](std::size_t) { return value_of(once); });
}

void arguments_are_checked(Backend& backend) {
    std::vector<float> floats(3);
    std::vector<double> doubles(3 * static_cast<std::size_t>(backend.size()));
    const auto refused = [&](auto call) {
        try {
            Event event = call();
            event.wait();
        } catch (const UsageError&) {
            return;
        }
        violated(backend, "a malformed call was not refused");
    };
    refused([&] { return backend.broadcast(std::span(floats), backend.size()); });
    refused([&] { return backend.all_gather(std::span(floats), std::span(doubles)); });
    refused([&] { return backend.all_gather(std::span(floats), std::span(floats).first(2)); });
    std::vector<Float16> halves(2);
    refused([&] { return backend.all_reduce(std::span(halves), ReduceOp::max); });
}

constexpr std::array clauses{
    Clause{"AllReduceSumsEveryType", all_reduce_sums_every_type},
    Clause{"AllReduceFindsExtremes", all_reduce_finds_extremes},
    Clause{"ReduceScatterSumsEveryPart", reduce_scatter_sums_every_part},
    Clause{"AllGatherBringsEveryPart", all_gather_brings_every_part},
    Clause{"BroadcastComesFromAnyRoot", broadcast_comes_from_any_root},
    Clause{"ManyCallsAreUnderWayAtOnce", many_calls_are_under_way_at_once},
    Clause{"AnEventTurnsTrueWithoutWaiting", an_event_turns_true_without_waiting},
    Clause{"NarrowSumsAreRoundedOnce", narrow_sums_are_rounded_once},
    Clause{"ArgumentsAreChecked", arguments_are_checked},
};

} // namespace

std::span<const Clause> contract() {
    return clauses;
}

void violated(const train::Backend& backend, const std::string& what) {
    throw std::logic_error(fmt::format(
        "member {} of {} on {}: {}", backend.rank(), backend.size(), backend.name(), what));
}

} // namespace muster::test
