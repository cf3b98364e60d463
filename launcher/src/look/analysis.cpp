#include "look/analysis.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace muster::launcher::look {
namespace {

using Edge = std::pair<std::uint64_t, std::uint64_t>;

std::pair<std::vector<Edge>::const_iterator, std::vector<Edge>::const_iterator>
edges_of(const Model& model, std::uint64_t task) {
    return {std::lower_bound(model.edges.begin(), model.edges.end(), Edge{task, 0}),
            std::lower_bound(model.edges.begin(), model.edges.end(), Edge{task + 1, 0})};
}

/// Walks from the end to the beginning.
class PathWalk {
public:
    explicit PathWalk(const Model& model) : model_(model), ends_(ends_of(model)) {
        for (std::size_t i = 0; i < model.slices.size(); ++i) {
            by_task_[model.slices[i].task].push_back(i);
        }
        for (std::size_t i = 0; i < model.waits.size(); ++i) {
            if (model.waits[i].object != 0) {
                waits_[model.waits[i].task].push_back(i);
            }
        }
    }

    std::vector<Step> walk() {
        const Slice* last = nullptr;
        for (const Slice& slice : model_.slices) {
            if (last == nullptr || slice.end > last->end) {
                last = &slice;
            }
        }
        if (last == nullptr) {
            return {};
        }
        std::optional<Place> place = Place{last->task, last->end};
        while (place) {
            place = place->task == 0 ? before_in_driver(place->until) : before_in_task(*place);
        }
        std::reverse(steps_.begin(), steps_.end());
        return std::move(steps_);
    }

private:
    /// What counts of a task (0: the driver) ends there.
    struct Place {
        std::uint64_t task = 0;
        std::int64_t until = 0;
    };

    void add(Step::Kind kind,
             std::uint64_t task,
             std::uint32_t function,
             std::int32_t rank,
             std::int64_t begin,
             std::int64_t end) {
        if (end > begin) {
            steps_.push_back({kind, task, function, rank, begin, end});
        }
    }

    /// The last wait of who waits that ended by then, for a task that ended in time to be what it
    /// waited for.
    const Wait* last_wait(std::uint64_t task, std::int64_t begin, std::int64_t until) const {
        const auto waits = waits_.find(task);
        if (waits == waits_.end()) {
            return nullptr;
        }
        auto after = std::upper_bound(
            waits->second.begin(),
            waits->second.end(),
            until,
            [&](std::int64_t time, std::size_t i) { return time < model_.waits[i].end; });
        while (after != waits->second.begin()) {
            const Wait& wait = model_.waits[*--after];
            const auto ended = ends_.find(wait.object);
            if (wait.end <= begin) {
                return nullptr;
            }
            if (ended != ends_.end() && ended->second <= wait.end && ended->second > wait.begin &&
                ended->second < until) {
                return &wait;
            }
        }
        return nullptr;
    }

    std::optional<Place> before_in_driver(std::int64_t until) {
        if (const Wait* const wait = last_wait(0, 0, until)) {
            const std::int64_t ended = ends_.at(wait->object);
            add(Step::Kind::driver, 0, 0, 0, ended, until);
            return Place{wait->object, ended};
        }
        add(Step::Kind::driver, 0, 0, 0, 0, until);
        return std::nullopt;
    }

    std::optional<Place> before_in_task(const Place& place) {
        const auto found = by_task_.find(place.task);
        if (found == by_task_.end()) {
            return std::nullopt;
        }
        // The last slice that had begun by then; earlier ones of a coroutine, or attempts, are
        // behind waits, or count as having been queued.
        const Slice* slice = nullptr;
        for (const std::size_t i : found->second) {
            if (model_.slices[i].begin < place.until) {
                slice = &model_.slices[i];
            }
        }
        if (slice == nullptr) {
            return std::nullopt;
        }
        const std::int64_t until = std::min(place.until, slice->end);
        if (const Wait* const wait = last_wait(place.task, slice->begin, until)) {
            const std::int64_t ended = ends_.at(wait->object);
            add(Step::Kind::run, place.task, slice->function, slice->rank, ended, until);
            return Place{wait->object, ended};
        }
        add(Step::Kind::run, place.task, slice->function, slice->rank, slice->begin, until);
        return before_start(*slice);
    }

    std::optional<Place> before_start(const Slice& slice) {
        const Submitted* const submitted = model_.submission_of(slice.task);
        std::int64_t ready = submitted == nullptr ? -1 : submitted->at;
        std::uint64_t taken = 0;
        const auto [begin, end] = edges_of(model_, slice.task);
        for (auto edge = begin; edge != end; ++edge) {
            const auto done = ends_.find(edge->second);
            if (done != ends_.end() && done->second > ready && done->second <= slice.begin) {
                ready = done->second;
                taken = edge->second;
            }
        }
        if (ready < 0) {
            return std::nullopt;
        }
        ready = std::min(ready, slice.begin);
        add(Step::Kind::queued, slice.task, slice.function, -1, ready, slice.begin);
        if (taken != 0) {
            return Place{taken, ready};
        }
        // Each place ends before the last one did: by a whole nanosecond, so that it comes to an
        // end.
        return Place{submitted->parent, std::min(ready, slice.begin - 1)};
    }

    const Model& model_;
    std::unordered_map<std::uint64_t, std::int64_t> ends_;
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> by_task_;
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> waits_;
    std::vector<Step> steps_;
};

} // namespace

std::unordered_map<std::uint64_t, std::int64_t> ends_of(const Model& model) {
    std::unordered_map<std::uint64_t, std::int64_t> ends;
    ends.reserve(model.slices.size());
    for (const Slice& slice : model.slices) {
        if (!slice.cut_off) {
            auto& end = ends[slice.task];
            end = std::max(end, slice.end);
        }
    }
    return ends;
}

std::optional<std::int64_t> ready_at(const Model& model,
                                     const std::unordered_map<std::uint64_t, std::int64_t>& ends,
                                     std::uint64_t task) {
    const Submitted* const submitted = model.submission_of(task);
    if (submitted == nullptr) {
        return std::nullopt;
    }
    std::int64_t ready = submitted->at;
    const auto [begin, end] = edges_of(model, task);
    for (auto edge = begin; edge != end; ++edge) {
        if (const auto done = ends.find(edge->second); done != ends.end()) {
            ready = std::max(ready, done->second);
        }
    }
    return ready;
}

std::vector<Step> critical_path(const Model& model) {
    return PathWalk(model).walk();
}

std::vector<FunctionUse> functions_of(const Model& model, const std::vector<Step>& path) {
    std::map<std::uint32_t, FunctionUse> uses;
    const auto ends = ends_of(model);
    for (const Slice& slice : model.slices) {
        FunctionUse& use = uses[slice.function];
        use.function = slice.function;
        use.total += slice.end - slice.begin;
        use.longest = std::max(use.longest, slice.end - slice.begin);
        if (slice.is(muster::look::ran_suspended)) {
            continue;
        }
        use.tasks += slice.cut_off ? 0U : 1U;
        use.failed += slice.is(muster::look::ran_failed) ? 1U : 0U;
        if (slice.attempt <= 1) {
            if (const auto ready = ready_at(model, ends, slice.task)) {
                use.queued += std::max<std::int64_t>(0, slice.begin - *ready);
            }
        }
    }
    for (const Step& step : path) {
        if (step.kind == Step::Kind::run) {
            uses[step.function].on_path += step.end - step.begin;
        }
    }
    std::vector<FunctionUse> sorted;
    for (const auto& [function, use] : uses) {
        sorted.push_back(use);
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
        return a.total > b.total;
    });
    return sorted;
}

Utilisation utilisation_of(const Model& model, std::size_t bins) {
    Utilisation use;
    use.bins = bins;
    use.bin = std::max<std::int64_t>(
        1, (model.end + static_cast<std::int64_t>(bins)) / static_cast<std::int64_t>(bins));
    std::unordered_map<std::int32_t, std::size_t> rows;
    for (const TracedRank& rank : model.ranks) {
        rows[rank.header.rank] = use.busy.size();
        use.busy.emplace_back(bins, 0.0);
        use.cpus.push_back(rank.header.cpus);
    }
    const auto add = [&](std::int32_t rank, std::int64_t begin, std::int64_t end, double sign) {
        const auto row = rows.find(rank);
        if (row == rows.end() || end <= begin) {
            return;
        }
        auto& busy = use.busy[row->second];
        begin = std::max<std::int64_t>(begin, 0);
        for (auto bin = static_cast<std::size_t>(begin / use.bin); bin < bins; ++bin) {
            const auto bin_begin = static_cast<std::int64_t>(bin) * use.bin;
            if (bin_begin >= end) {
                break;
            }
            const std::int64_t part =
                std::min(end, bin_begin + use.bin) - std::max(begin, bin_begin);
            busy[bin] += sign * static_cast<double>(part) / static_cast<double>(use.bin);
        }
    };
    for (const Slice& slice : model.slices) {
        add(slice.rank, slice.begin, slice.end, 1);
    }
    for (const Wait& wait : model.waits) {
        if (wait.task != 0) {
            add(wait.rank, wait.begin, wait.end, -1);
        }
    }
    for (auto& row : use.busy) {
        for (double& value : row) {
            value = std::max(0.0, value);
        }
    }
    return use;
}

std::vector<Slice> slowest(const Model& model, std::size_t count) {
    std::vector<Slice> sorted(std::min(count, model.slices.size()));
    std::partial_sort_copy(model.slices.begin(),
                           model.slices.end(),
                           sorted.begin(),
                           sorted.end(),
                           [](const Slice& a, const Slice& b) {
                               return std::tuple(b.end - b.begin, a.begin, a.task) <
                                      std::tuple(a.end - a.begin, b.begin, b.task);
                           });
    return sorted;
}

std::vector<Slice> failures(const Model& model) {
    std::vector<Slice> failed;
    std::copy_if(model.slices.begin(),
                 model.slices.end(),
                 std::back_inserter(failed),
                 [](const Slice& one) { return one.is(muster::look::ran_failed); });
    return failed;
}

} // namespace muster::launcher::look
