#pragma once

#include <muster/base/assert.hpp>
#include <muster/base/random.hpp>

#include <array>
#include <bit>
#include <cstdint>

namespace muster::data {

/// A keyed permutation of [0, size): the order of one epoch, computed element by element.
///
/// Nothing is stored per element, so any rank can ask for any position of any epoch, and resuming
/// needs no more than a position. The same (size, seed, epoch) gives the same order on every
/// platform. Not cryptographic: it mixes well, it does not keep secrets.
///
/// An alternating Feistel network permutes the b-bit numbers, b = bits of size - 1; an image
/// outside [0, size) is permuted again until it falls inside. Since 2^b < 2 * size, that takes
/// fewer than two steps on average; since the network is a bijection, the walk returns.
/// Round function: mix64 (SplitMix64's finaliser) of the other half xor a 64-bit round key drawn
/// from Random(seed, epoch).
///
/// Sources: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, section 3
/// (cycle walking) and 4 (Feistel on a small domain). Luby and Rackoff (SIAM J. Comput. 17, 1988)
/// need four rounds for large halves; halves of a few bits need more, hence ten.
class Permutation {
public:
    constexpr Permutation(std::uint64_t size, std::uint64_t seed, std::uint64_t epoch)
        : size_(size) {
        const auto bits = static_cast<unsigned>(size > 1 ? std::bit_width(size - 1) : 0);
        low_bits_ = (bits + 1) / 2;
        low_mask_ = mask(low_bits_);
        high_mask_ = mask(bits - low_bits_);
        Random random(seed, epoch);
        for (std::uint64_t& key : keys_) {
            key = random.next();
        }
    }

    [[nodiscard]] constexpr std::uint64_t size() const { return size_; }

    /// The element at `position`; position < size().
    [[nodiscard]] constexpr std::uint64_t operator()(std::uint64_t position) const {
        MUSTER_ASSERT(position < size_);
        if (size_ == 1) {
            return 0;
        }
        std::uint64_t value = position;
        do {
            value = encrypt(value);
        } while (value >= size_);
        return value;
    }

    /// The position of `element`, the reverse of the above; element < size().
    [[nodiscard]] constexpr std::uint64_t position_of(std::uint64_t element) const {
        MUSTER_ASSERT(element < size_);
        if (size_ == 1) {
            return 0;
        }
        std::uint64_t value = element;
        do {
            value = decrypt(value);
        } while (value >= size_);
        return value;
    }

private:
    static constexpr std::uint64_t mask(unsigned bits) { return (std::uint64_t{1} << bits) - 1; }

    [[nodiscard]] constexpr std::uint64_t encrypt(std::uint64_t value) const {
        std::uint64_t low = value & low_mask_;
        std::uint64_t high = value >> low_bits_;
        for (std::size_t round = 0; round < keys_.size(); round += 2) {
            low ^= mix64(high ^ keys_[round]) & low_mask_;
            high ^= mix64(low ^ keys_[round + 1]) & high_mask_;
        }
        return (high << low_bits_) | low;
    }

    [[nodiscard]] constexpr std::uint64_t decrypt(std::uint64_t value) const {
        std::uint64_t low = value & low_mask_;
        std::uint64_t high = value >> low_bits_;
        for (std::size_t round = keys_.size(); round > 0; round -= 2) {
            high ^= mix64(low ^ keys_[round - 1]) & high_mask_;
            low ^= mix64(high ^ keys_[round - 2]) & low_mask_;
        }
        return (high << low_bits_) | low;
    }

    std::uint64_t size_;
    unsigned low_bits_ = 0;
    std::uint64_t low_mask_ = 0;
    std::uint64_t high_mask_ = 0;
    std::array<std::uint64_t, 10> keys_{};
};

} // namespace muster::data
