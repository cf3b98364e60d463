#pragma once

#include <muster/base/assert.hpp>
#include <muster/base/clock.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace muster::sim {

/// Virtual time: what is to happen, in order of time, and among equals in the order it was planned.
class EventQueue {
public:
    [[nodiscard]] TimePoint now() const { return now_; }

    [[nodiscard]] bool empty() const { return heap_.empty(); }

    [[nodiscard]] std::uint64_t events_run() const { return events_run_; }

    void at(TimePoint when, std::function<void()> what) {
        MUSTER_ASSERT(when >= now_);
        heap_.push_back({when, ++planned_, std::move(what)});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }

    void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

    void run_next() {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        Planned next = std::move(heap_.back());
        heap_.pop_back();
        now_ = next.when;
        ++events_run_;
        next.what();
    }

private:
    struct Planned {
        TimePoint when;
        std::uint64_t number;
        std::function<void()> what;
    };

    static bool later(const Planned& a, const Planned& b) {
        return a.when != b.when ? a.when > b.when : a.number > b.number;
    }

    std::vector<Planned> heap_;
    TimePoint now_{};
    std::uint64_t planned_ = 0;
    std::uint64_t events_run_ = 0;
};

} // namespace muster::sim
