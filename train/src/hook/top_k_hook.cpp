#include "hook/residuals.hpp"

#include <muster/base/error.hpp>
#include <muster/train/hook.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace muster::train {
namespace {

class TopKReduction final : public HookedReduction {
public:
    /// @param sent  Index and bits of each value, in the words of one element.
    TopKReduction(std::span<float> bucket, std::vector<std::uint64_t> sent, Backend& backend)
        : bucket_(bucket), sent_(std::move(sent)),
          received_(sent_.size() * static_cast<std::size_t>(backend.size())),
          event_(backend.all_gather(std::span(sent_), std::span(received_))) {}

    bool advance() override {
        event_.wait();
        std::fill(bucket_.begin(), bucket_.end(), 0.0F);
        for (const std::uint64_t word : received_) { // in the order of the members
            bucket_[word >> 32U] += std::bit_cast<float>(static_cast<std::uint32_t>(word));
        }
        return false;
    }

private:
    std::span<float> bucket_;
    std::vector<std::uint64_t> sent_;
    std::vector<std::uint64_t> received_;
    Event event_;
};

class TopKHook final : public GradientHook {
public:
    explicit TopKHook(TopKOptions options) : options_(options) {}

    std::string_view name() const noexcept override { return "top-k"; }

    std::unique_ptr<HookedReduction> reduce(std::span<float> bucket,
                                            std::span<const BucketPiece> pieces,
                                            Backend& backend) override {
        for (const BucketPiece& piece : pieces) {
            const auto left_out = residuals_.of(piece.parameter, piece.values.size());
            std::transform(piece.values.begin(),
                           piece.values.end(),
                           left_out.begin(),
                           piece.values.begin(),
                           std::plus<>());
        }
        const auto k = std::min(bucket.size(),
                                static_cast<std::size_t>(std::ceil(
                                    options_.share * static_cast<double>(bucket.size()))));
        order_.resize(bucket.size());
        std::iota(order_.begin(), order_.end(), std::uint32_t{0});
        const auto is_before = [&](std::uint32_t a, std::uint32_t b) {
            // A NaN is sent first: nobody may miss it, and an order needs a place for it.
            const auto size_of = [&](std::uint32_t i) {
                return std::isnan(bucket[i]) ? INFINITY : std::abs(bucket[i]);
            };
            return size_of(a) != size_of(b) ? size_of(a) > size_of(b) : a < b;
        };
        std::nth_element(order_.begin(),
                         order_.begin() + static_cast<std::ptrdiff_t>(k),
                         order_.end(),
                         is_before);
        std::vector<std::uint64_t> sent(k);
        for (std::size_t i = 0; i < k; ++i) {
            float& value = bucket[order_[i]];
            sent[i] = std::uint64_t{order_[i]} << 32U | std::bit_cast<std::uint32_t>(value);
            value = 0;
        }
        for (const BucketPiece& piece : pieces) {
            std::copy(piece.values.begin(),
                      piece.values.end(),
                      residuals_.of(piece.parameter, piece.values.size()).begin());
        }
        return std::make_unique<TopKReduction>(bucket, std::move(sent), backend);
    }

private:
    TopKOptions options_;
    Residuals residuals_;
    std::vector<std::uint32_t> order_;
};

} // namespace

std::shared_ptr<GradientHook> make_top_k_hook(TopKOptions options) {
    if (!(options.share > 0 && options.share <= 1)) {
        throw UsageError(
            fmt::format("top-k of a share of {}: above 0, and at most 1", options.share));
    }
    return std::make_shared<TopKHook>(options);
}

} // namespace muster::train
