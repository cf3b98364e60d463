#pragma once

#include "sched/rank_set.hpp"

#include <muster/base/amount.hpp>

#include <functional>
#include <map>
#include <utility>

namespace muster::sched {

/// Ranks by what is free on them: most first, then the lowest rank.
class FreeIndex {
    using Levels = std::map<Amount, RankSet, std::greater<>>;

public:
    class Iterator {
    public:
        Iterator(Levels::const_iterator level, Levels::const_iterator end)
            : level_(level), end_(end),
              rank_(level == end ? RankSet::Iterator{nullptr, 0} : level->second.begin()) {}

        std::pair<Amount, Rank> operator*() const { return {level_->first, *rank_}; }

        Iterator& operator++() {
            if (++rank_ == level_->second.end()) {
                *this = {std::next(level_), end_};
            }
            return *this;
        }

        friend bool operator==(const Iterator& a, const Iterator& b) {
            return a.level_ == b.level_ && a.rank_ == b.rank_;
        }

    private:
        Levels::const_iterator level_;
        Levels::const_iterator end_;
        RankSet::Iterator rank_;
    };

    void insert(Amount free, Rank rank) { levels_[free].insert(rank); }

    void move(Rank rank, Amount from, Amount to) {
        if (from == to) {
            return;
        }
        const auto level = levels_.find(from);
        level->second.erase(rank);
        if (level->second.empty()) {
            levels_.erase(level);
        }
        levels_[to].insert(rank);
    }

    /// What is free where most is; none if there are no ranks.
    [[nodiscard]] Amount most() const {
        return levels_.empty() ? Amount{} : levels_.begin()->first;
    }

    [[nodiscard]] Iterator begin() const { return {levels_.begin(), levels_.end()}; }

    [[nodiscard]] Iterator end() const { return {levels_.end(), levels_.end()}; }

private:
    Levels levels_; ///< None is empty.
};

} // namespace muster::sched
