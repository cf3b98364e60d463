#include <muster/core/resources.hpp>

#include <algorithm>

namespace muster {
namespace {

Amount amount_of(const Resources& resources, std::string_view name) {
    for (const auto& [key, amount] : resources.custom) {
        if (key == name) {
            return amount;
        }
    }
    return {};
}

void change(Resources& resources, const Resources& by, std::int64_t times) {
    resources.cpus += by.cpus * times;
    resources.gpus += by.gpus * times;
    resources.memory += by.memory * times;
    for (const auto& [name, amount] : by.custom) {
        const auto place =
            std::lower_bound(resources.custom.begin(),
                             resources.custom.end(),
                             name,
                             [](const auto& a, const auto& b) { return a.first < b; });
        if (place != resources.custom.end() && place->first == name) {
            place->second += amount * times;
        } else {
            resources.custom.insert(place, {name, amount * times});
        }
    }
}

} // namespace

std::int64_t
times_fitting(const Resources& demand, const Resources& available, std::int64_t limit) {
    std::int64_t times = limit;
    const auto limit_by = [&](Amount wanted, Amount free) {
        if (wanted > Amount{}) {
            times = std::min(times, std::max<std::int64_t>(free.units(), 0) / wanted.units());
        }
    };
    limit_by(demand.cpus, available.cpus);
    limit_by(demand.gpus, available.gpus);
    limit_by(demand.memory, available.memory);
    for (const auto& [name, amount] : demand.custom) {
        limit_by(amount, amount_of(available, name));
    }
    return times;
}

bool fits(const Resources& demand, const Resources& available) {
    return times_fitting(demand, available, 1) == 1;
}

void add(Resources& to, const Resources& what, std::int64_t times) {
    change(to, what, times);
}

void subtract(Resources& from, const Resources& what, std::int64_t times) {
    change(from, what, -times);
}

const char* to_string(Strategy strategy) {
    switch (strategy) {
    case Strategy::pack:
        return "pack";
    case Strategy::spread:
        return "spread";
    case Strategy::strict_pack:
        return "strict_pack";
    case Strategy::strict_spread:
        return "strict_spread";
    }
    return "";
}

std::string to_string(const Resources& resources) {
    std::string text;
    const auto append = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
    const auto plural = [](Amount amount) { return amount == Amount{1} ? "" : "s"; };
    if (resources.cpus != Amount{}) {
        append(to_string(resources.cpus) + " cpu" + plural(resources.cpus));
    }
    if (resources.gpus != Amount{}) {
        append(to_string(resources.gpus) + " gpu" + plural(resources.gpus));
    }
    if (resources.memory != Amount{}) {
        append(to_string(Bytes{static_cast<std::uint64_t>(resources.memory.value())}) + " memory");
    }
    for (const auto& [name, amount] : resources.custom) {
        append(to_string(amount) + " " + name);
    }
    return text.empty() ? "nothing" : text;
}

} // namespace muster
