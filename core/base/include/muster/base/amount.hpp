#pragma once

#include <cmath>
#include <compare>
#include <concepts>
#include <cstdint>
#include <string>

namespace muster {

/// An amount of a resource in integers of 1/10,000 unit, so that sums are exact: ten times 0.1 GPU
/// is one GPU. Made from an integer or a fraction, so `.gpus = 0.5` and `.gpus = n` both read well.
class Amount {
public:
    static constexpr std::int64_t units_per_one = 10'000;

    constexpr Amount() = default;

    template <std::integral I>
    constexpr Amount(I whole) : units_(static_cast<std::int64_t>(whole) * units_per_one) {}

    /// Rounded to the nearest 1/10,000.
    template <std::floating_point F>
    constexpr Amount(F fraction)
        : units_(static_cast<std::int64_t>(static_cast<double>(fraction) * units_per_one +
                                           (fraction < 0 ? -0.5 : 0.5))) {}

    static constexpr Amount from_units(std::int64_t units) {
        Amount amount;
        amount.units_ = units;
        return amount;
    }

    [[nodiscard]] constexpr std::int64_t units() const { return units_; }

    [[nodiscard]] constexpr double value() const {
        return static_cast<double>(units_) / units_per_one;
    }

    constexpr Amount& operator+=(Amount other) {
        units_ += other.units_;
        return *this;
    }

    constexpr Amount& operator-=(Amount other) {
        units_ -= other.units_;
        return *this;
    }

    friend constexpr Amount operator+(Amount a, Amount b) {
        return from_units(a.units_ + b.units_);
    }

    friend constexpr Amount operator-(Amount a, Amount b) {
        return from_units(a.units_ - b.units_);
    }

    friend constexpr Amount operator*(Amount a, std::int64_t n) { return from_units(a.units_ * n); }

    friend constexpr auto operator<=>(Amount, Amount) = default;

private:
    std::int64_t units_ = 0;
};

/// "2", "0.5", "0.3333": no trailing zeros.
std::string to_string(Amount amount);

/// A size in bytes; `2_GiB` and friends make one.
struct Bytes {
    std::uint64_t count = 0;

    friend constexpr auto operator<=>(Bytes, Bytes) = default;
};

/// "2 GiB", "1.5 MiB", "17 B".
std::string to_string(Bytes bytes);

inline namespace literals {

constexpr Bytes operator""_KiB(unsigned long long n) {
    return Bytes{n << 10};
}

constexpr Bytes operator""_MiB(unsigned long long n) {
    return Bytes{n << 20};
}

constexpr Bytes operator""_GiB(unsigned long long n) {
    return Bytes{n << 30};
}

} // namespace literals

} // namespace muster
