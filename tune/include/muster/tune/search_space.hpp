#pragma once

#include <muster/base/random.hpp>
#include <muster/tune/configuration.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

namespace muster::tune {

/// A double in [low, high), every value as likely as any other.
struct Uniform {
    double low = 0;
    double high = 1;
};

/// A double in [low, high), every order of magnitude as likely as any other.
struct LogUniform {
    double low = 0;
    double high = 1;
};

/// An integer in [low, high): `high` itself is excluded, as in Ray Tune's and NumPy's randint.
struct RandInt {
    std::int64_t low = 0;
    std::int64_t high = 1;
};

/// One of some values of one type, each as likely as any other.
struct Choice {
    std::vector<Value> values;
};

using Domain = std::variant<Uniform, LogUniform, RandInt, Choice>;

[[nodiscard]] inline Domain uniform(double low, double high) {
    return Uniform{low, high};
}

[[nodiscard]] inline Domain loguniform(double low, double high) {
    return LogUniform{low, high};
}

[[nodiscard]] inline Domain randint(std::int64_t low, std::int64_t high) {
    return RandInt{low, high};
}

[[nodiscard]] inline Domain choice(std::vector<Value> values) {
    return Choice{std::move(values)};
}

/// Draws from a domain that a SearchSpace has accepted.
[[nodiscard]] Value sample(const Domain& domain, Random& random);

/// What a study may vary: named parameters and where their values come from.
///
///     const SearchSpace space{{"learning_rate", loguniform(1e-4, 1e-1)},
///                             {"batch_size", choice({32, 64, 128})},
///                             {"layers", randint(1, 4)},
///                             {"dropout", uniform(0, 0.5)}};
class SearchSpace {
public:
    struct Parameter {
        std::string name;
        Domain domain;
    };

    /// @throws UsageError, naming the parameter, for a name that is empty or used twice, bounds
    /// that
    ///         are not finite or not in order, a bound that has no logarithm, no choices, or
    ///         choices of several types.
    SearchSpace(std::initializer_list<Parameter> parameters);
    explicit SearchSpace(std::vector<Parameter> parameters);

    [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }

private:
    std::vector<Parameter> parameters_;
};

} // namespace muster::tune
