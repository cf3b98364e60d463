#pragma once

#include <muster/base/assert.hpp>
#include <muster/train/tensor.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace muster::train {

/// `result` becomes the sum of the parts, one after another in `parts`, each of result's size:
/// added in float32 in the order of the parts, rounded once.
void sum_narrow_parts(ElementType type,
                      std::span<const std::uint16_t> parts,
                      std::span<std::uint16_t> result);

/// Sums of 16-bit floats for transports that can only move them: every member adds up one part of
/// everybody's, in float32, and tells all. As few bytes as any all-reduce: 2 (n - 1) / n of the
/// data, sent and received.
///
/// `move.all_to_all(data, result)` and `move.all_gather(data, result)` are the collectives of these
/// names, on words; they return when done.
/// Source: Rabenseifner, "Optimization of Collective Reduction Operations", ICCS 2004.
class NarrowSum {
public:
    template <class Move>
    void all_reduce(int members, Tensor data, const Move& move) {
        const auto n = static_cast<std::size_t>(members);
        const std::span<std::uint16_t> words(static_cast<std::uint16_t*>(data.data), data.elements);
        const std::size_t part = (words.size() + n - 1) / n;
        std::span<std::uint16_t> whole = words;
        if (part * n != words.size()) {
            padded_.assign(part * n, 0);
            std::copy(words.begin(), words.end(), padded_.begin());
            whole = padded_;
        }
        received_.resize(part * n);
        sums_.resize(part);
        move.all_to_all(std::span<const std::uint16_t>(whole), std::span(received_));
        sum_narrow_parts(data.type, received_, sums_);
        move.all_gather(std::span<const std::uint16_t>(sums_), whole);
        if (whole.data() != words.data()) {
            std::copy_n(whole.begin(), words.size(), words.begin());
        }
    }

    template <class Move>
    void reduce_scatter(ConstTensor data, Tensor result, const Move& move) {
        const std::span<const std::uint16_t> words(static_cast<const std::uint16_t*>(data.data),
                                                   data.elements);
        received_.resize(words.size());
        move.all_to_all(words, std::span(received_));
        sum_narrow_parts(
            data.type, received_, {static_cast<std::uint16_t*>(result.data), result.elements});
    }

private:
    std::vector<std::uint16_t> padded_; ///< Where the data is no multiple of the members.
    std::vector<std::uint16_t> received_;
    std::vector<std::uint16_t> sums_;
};

} // namespace muster::train
