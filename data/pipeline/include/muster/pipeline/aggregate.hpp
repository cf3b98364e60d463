#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace muster::data {

/// What is computed of a group's rows; of a column whose rows hold several values, of them all.
///
/// NaN: sums, means and deviations become NaN with the first; min and max pass over it, and are NaN
/// where there is nothing else. Of no rows at all: count and sum are 0, mean and std NaN, min and
/// max of integers an error.
struct Aggregate {
    enum class Kind : std::uint8_t { count, sum, min, max, mean, std_dev };

    Kind kind = Kind::count;
    std::string column{};
    std::string name{}; ///< Of the resulting column.
};

/// How many rows: "count" (uint64).
inline Aggregate count(std::string name = "count") {
    return {Aggregate::Kind::count, {}, std::move(name)};
}

/// "sum(x)": int64 of signed integers, uint64 of unsigned ones and booleans (both modulo 2^64),
/// float64 of floating-point numbers.
inline Aggregate sum(std::string column, std::string name = {}) {
    return {Aggregate::Kind::sum, std::move(column), std::move(name)};
}

/// "min(x)", of the column's type.
inline Aggregate min(std::string column, std::string name = {}) {
    return {Aggregate::Kind::min, std::move(column), std::move(name)};
}

inline Aggregate max(std::string column, std::string name = {}) {
    return {Aggregate::Kind::max, std::move(column), std::move(name)};
}

/// "mean(x)": float64.
inline Aggregate mean(std::string column, std::string name = {}) {
    return {Aggregate::Kind::mean, std::move(column), std::move(name)};
}

/// "std(x)": the sample's standard deviation (divided by n - 1), float64; NaN of one value.
inline Aggregate std_dev(std::string column, std::string name = {}) {
    return {Aggregate::Kind::std_dev, std::move(column), std::move(name)};
}

} // namespace muster::data
