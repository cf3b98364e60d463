// Several actors of one class share the work: each element goes to the one with the least to do,
// and what is costly to set up (here a table, elsewhere a model on a GPU) is set up once per actor.

#include <muster/core/muster.hpp>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <utility>
#include <vector>

class Primes {
public:
    explicit Primes(std::uint32_t limit) : is_composite_(limit + 1) {
        for (std::uint32_t i = 2; i <= limit; ++i) {
            for (std::uint64_t j = std::uint64_t{i} * i; !is_composite_[i] && j <= limit; j += i) {
                is_composite_[j] = true;
            }
        }
    }

    [[nodiscard]] std::uint32_t count(std::uint32_t from, std::uint32_t to) const {
        std::uint32_t primes = 0;
        for (std::uint32_t i = std::max<std::uint32_t>(from, 2); i < to; ++i) {
            primes += is_composite_[i] ? 0U : 1U;
        }
        return primes;
    }

private:
    std::vector<bool> is_composite_;
};

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        muster::ActorPool<Primes> pool(3, {.placement = muster::spread}, 1'000'000U);
        std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
        for (std::uint32_t from = 0; from < 1'000'000; from += 50'000) {
            ranges.emplace_back(from, from + 50'000);
        }
        std::uint32_t primes = 0;
        for (const auto& part : pool.map<&Primes::count>(ranges)) {
            primes += part.get();
        }
        std::cout << primes << " primes below a million\n";
    });
}
