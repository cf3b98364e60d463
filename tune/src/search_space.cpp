#include <muster/base/error.hpp>
#include <muster/tune/search_space.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace muster::tune {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
    throw UsageError(fmt::format("parameter '{}': {}", name, why));
}

void check_bounds(const std::string& name, double low, double high) {
    if (!std::isfinite(low) || !std::isfinite(high)) {
        refuse(name, fmt::format("the bounds {} and {} are not both finite", low, high));
    }
    if (low >= high) {
        refuse(name,
               fmt::format("the lower bound {} is not below the upper bound {}; for a fixed value, "
                           "use a choice of one",
                           low,
                           high));
    }
}

void check(const std::string& name, const Uniform& domain) {
    check_bounds(name, domain.low, domain.high);
    if (!std::isfinite(domain.high - domain.low)) {
        refuse(name,
               fmt::format("{} to {} is wider than a double can count", domain.low, domain.high));
    }
}

void check(const std::string& name, const LogUniform& domain) {
    check_bounds(name, domain.low, domain.high);
    if (domain.low <= 0) {
        refuse(name,
               fmt::format("a logarithmic scale begins above 0, so not at {}; use uniform(), or a "
                           "small positive bound",
                           domain.low));
    }
}

void check(const std::string& name, const RandInt& domain) {
    if (domain.low >= domain.high) {
        refuse(name,
               fmt::format("no integer lies in [{}, {}); the upper bound is excluded",
                           domain.low,
                           domain.high));
    }
}

void check(const std::string& name, const Choice& domain) {
    if (domain.values.empty()) {
        refuse(name, "there is nothing to choose from; give at least one value");
    }
    for (const Value& value : domain.values) {
        if (value.index() != domain.values.front().index()) {
            refuse(name,
                   fmt::format("the choices {} ({}) and {} ({}) are of different types; write them "
                               "all as one",
                               to_string(domain.values.front()),
                               type_name(domain.values.front()),
                               to_string(value),
                               type_name(value)));
        }
    }
}

/// Rounding can lead a little outside of [low, high).
double clamp_half_open(double value, double low, double high) {
    return std::clamp(value, low, std::nextafter(high, low));
}

Value draw(const Uniform& domain, Random& random) {
    return clamp_half_open(random.uniform(domain.low, domain.high), domain.low, domain.high);
}

Value draw(const LogUniform& domain, Random& random) {
    return clamp_half_open(random.log_uniform(domain.low, domain.high), domain.low, domain.high);
}

Value draw(const RandInt& domain, Random& random) {
    // Unsigned, where the width of every range fits and wraps round to the right number.
    const auto low = static_cast<std::uint64_t>(domain.low);
    const auto width = static_cast<std::uint64_t>(domain.high) - low;
    return static_cast<std::int64_t>(low + random.below(width));
}

Value draw(const Choice& domain, Random& random) {
    return domain.values[random.below(domain.values.size())];
}

} // namespace

Value sample(const Domain& domain, Random& random) {
    return std::visit([&](const auto& d) { return draw(d, random); }, domain);
}

SearchSpace::SearchSpace(std::initializer_list<Parameter> parameters)
    : SearchSpace(std::vector(parameters)) {
}

SearchSpace::SearchSpace(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {
    for (auto p = parameters_.begin(); p != parameters_.end(); ++p) {
        if (p->name.empty()) {
            throw UsageError(fmt::format("parameter {} of the search space has no name",
                                         p - parameters_.begin() + 1));
        }
        if (std::any_of(parameters_.begin(), p, [&](const Parameter& earlier) {
                return earlier.name == p->name;
            })) {
            refuse(p->name, "the search space has it twice; give each a name of its own");
        }
        std::visit([&](const auto& domain) { check(p->name, domain); }, p->domain);
    }
}

} // namespace muster::tune
