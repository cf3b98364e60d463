#pragma once

#include <muster/base/ids.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace muster::sched {

/// A set of ranks, a bit each, and a bit for each 64 of these: it is iterated from the lowest to
/// the highest, and finding the next does not get slower with how many are in it, or how far apart.
class RankSet {
public:
    class Iterator {
    public:
        using value_type = Rank;
        using difference_type = std::ptrdiff_t;
        using pointer = const Rank*;
        using reference = Rank;
        using iterator_category = std::input_iterator_tag;

        Iterator(const RankSet* set, std::size_t bit) : set_(set), bit_(bit) {}

        Rank operator*() const { return Rank{static_cast<std::int32_t>(bit_)}; }

        Iterator& operator++() {
            bit_ = set_->next(bit_ + 1);
            return *this;
        }

        Iterator operator++(int) {
            const Iterator before = *this;
            ++*this;
            return before;
        }

        friend bool operator==(const Iterator& a, const Iterator& b) { return a.bit_ == b.bit_; }

    private:
        const RankSet* set_;
        std::size_t bit_;
    };

    void insert(Rank rank) {
        const std::size_t word = bit(rank) / 64;
        if (word >= words_.size()) {
            words_.resize(word + 1);
            filled_.resize(word / 64 + 1);
        }
        const std::uint64_t mask = std::uint64_t{1} << (bit(rank) % 64);
        count_ += (words_[word] & mask) == 0 ? 1U : 0U;
        words_[word] |= mask;
        filled_[word / 64] |= std::uint64_t{1} << (word % 64);
    }

    void erase(Rank rank) {
        if (!contains(rank)) {
            return;
        }
        const std::size_t word = bit(rank) / 64;
        words_[word] &= ~(std::uint64_t{1} << (bit(rank) % 64));
        if (words_[word] == 0) {
            filled_[word / 64] &= ~(std::uint64_t{1} << (word % 64));
        }
        --count_;
    }

    [[nodiscard]] bool contains(Rank rank) const {
        const std::size_t word = bit(rank) / 64;
        return word < words_.size() && ((words_[word] >> (bit(rank) % 64)) & 1) != 0;
    }

    [[nodiscard]] std::size_t size() const { return count_; }

    [[nodiscard]] bool empty() const { return count_ == 0; }

    [[nodiscard]] Iterator begin() const { return {this, next(0)}; }

    [[nodiscard]] Iterator end() const { return {this, words_.size() * 64}; }

    /// The first behind `rank`.
    [[nodiscard]] Iterator upper_bound(Rank rank) const { return {this, next(bit(rank) + 1)}; }

private:
    static std::size_t bit(Rank rank) { return static_cast<std::size_t>(index(rank)); }

    /// The first bit from `from` on that is set; none: the first behind all words.
    static std::size_t next_set(const std::vector<std::uint64_t>& words, std::size_t from) {
        std::size_t word = from / 64;
        if (word >= words.size()) {
            return words.size() * 64;
        }
        std::uint64_t bits = words[word] & (~std::uint64_t{0} << (from % 64));
        while (bits == 0) {
            if (++word == words.size()) {
                return words.size() * 64;
            }
            bits = words[word];
        }
        return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
    }

    /// The first member from `from` on; end() if there is none.
    [[nodiscard]] std::size_t next(std::size_t from) const {
        const std::size_t end = words_.size() * 64;
        if (from >= end) {
            return end;
        }
        const std::uint64_t here = words_[from / 64] & (~std::uint64_t{0} << (from % 64));
        if (here != 0) {
            return from / 64 * 64 + static_cast<std::size_t>(std::countr_zero(here));
        }
        const std::size_t word = next_set(filled_, from / 64 + 1);
        return word >= words_.size()
                   ? end
                   : word * 64 + static_cast<std::size_t>(std::countr_zero(words_[word]));
    }

    std::vector<std::uint64_t> words_;
    std::vector<std::uint64_t> filled_; ///< A bit for each word that is not zero.
    std::size_t count_ = 0;
};

} // namespace muster::sched
