#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace muster::train {

/// What a lossy hook left out so far, by parameter: buckets are made anew, parameters stay.
class Residuals {
public:
    [[nodiscard]] std::span<float> of(std::size_t parameter, std::size_t elements) {
        if (parameter >= values_.size()) {
            values_.resize(parameter + 1);
        }
        values_[parameter].resize(elements);
        return values_[parameter];
    }

private:
    std::vector<std::vector<float>> values_;
};

} // namespace muster::train
