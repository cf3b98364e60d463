#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/train/fit_plan.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace muster::train {

FitPlan::FitPlan(Options options, std::vector<SavedCheckpoint> found)
    : options_(std::move(options)), kept_(std::move(found)), workers_(options_.workers.max) {
    if (options_.workers.min < 1 || options_.workers.max < options_.workers.min) {
        throw UsageError(fmt::format("a Trainer has {} to {} workers; it takes 1 at least, and the "
                                     "smaller number first",
                                     options_.workers.min,
                                     options_.workers.max));
    }
    if (options_.retention.last < 1) {
        throw UsageError("a Trainer that keeps no checkpoint cannot go on after a failure; keep 1 "
                         "at least");
    }
    std::ranges::sort(kept_, {}, &SavedCheckpoint::step);
}

FitOrder FitPlan::begin() {
    return start();
}

FitOrder FitPlan::start() {
    ++attempt_;
    StartGang order{workers_, attempt_, last()};
    begun_from_.reset();
    if (order.from) {
        begun_from_ = order.from->step;
    }
    return order;
}

FitOrder FitPlan::give_up(std::string reason) const {
    return Finish{Finish::Outcome::gave_up, std::move(reason)};
}

FitOrder FitPlan::on_unreadable() {
    MUSTER_ASSERT(begun_from_.has_value());
    std::erase_if(kept_, [&](const SavedCheckpoint& each) { return each.step == *begun_from_; });
    --attempt_; // it has not begun
    return start();
}

FitOrder FitPlan::on_ended(GangEnd end, const std::string& why) {
    switch (end) {
    case GangEnd::finished:
        return Finish{Finish::Outcome::done, {}};
    case GangEnd::interrupted:
        return Finish{Finish::Outcome::interrupted, {}};
    case GangEnd::infeasible:
        if (workers_ == options_.workers.min) {
            return give_up(fmt::format(
                "there is no room for {} worker{}: {}", workers_, workers_ == 1 ? "" : "s", why));
        }
        --workers_;
        --attempt_; // it has not begun
        return start();
    case GangEnd::failed:
        break;
    }
    ++failures_;
    ++failures_in_a_row_;
    if (failures_in_a_row_ > options_.max_failures) {
        return give_up(options_.max_failures == 0
                           ? why
                           : fmt::format("it failed {} times without a new checkpoint in between; "
                                         "the last time: {}",
                                         failures_in_a_row_,
                                         why));
    }
    return start();
}

std::vector<SavedCheckpoint> FitPlan::on_saved(SavedCheckpoint checkpoint) {
    failures_in_a_row_ = 0;
    std::erase_if(kept_, [&](const SavedCheckpoint& each) { return each.step == checkpoint.step; });
    const auto place = std::ranges::upper_bound(kept_, checkpoint.step, {}, &SavedCheckpoint::step);
    kept_.insert(place, std::move(checkpoint));
    std::vector<SavedCheckpoint> removed;
    const auto best_one = best();
    const std::size_t surplus =
        kept_.size() > options_.retention.last ? kept_.size() - options_.retention.last : 0;
    std::vector<SavedCheckpoint> kept;
    for (std::size_t i = 0; i < kept_.size(); ++i) {
        const bool stays = i >= surplus || (best_one && best_one->step == kept_[i].step) ||
                           begun_from_ == kept_[i].step;
        (stays ? kept : removed).push_back(std::move(kept_[i]));
    }
    kept_ = std::move(kept);
    return removed;
}

std::optional<SavedCheckpoint> FitPlan::last() const {
    return kept_.empty() ? std::nullopt : std::optional(kept_.back());
}

std::optional<SavedCheckpoint> FitPlan::best() const {
    const SavedCheckpoint* best = nullptr;
    double best_value = 0;
    for (const SavedCheckpoint& each : kept_) {
        const auto found = each.metrics.find(options_.retention.metric);
        if (found == each.metrics.end() || std::isnan(found->second)) {
            continue;
        }
        const bool is_better = options_.retention.mode == Mode::min ? found->second <= best_value
                                                                    : found->second >= best_value;
        if (best == nullptr || is_better) {
            best = &each;
            best_value = found->second;
        }
    }
    return best == nullptr ? std::nullopt : std::optional(*best);
}

} // namespace muster::train
