#include "runtime/leadership.hpp"

#include <sched.h>

#include <algorithm>
#include <exception>

namespace muster::runtime {
namespace {

using namespace std::chrono_literals;

// Until a message that is on its way through another rank's executor has come: waking a thread on
// a core that sleeps costs up to 50 us. Yielding meanwhile, so tasks that want the core have it;
// and once one of them had it for longer than this, the leader sleeps, and wakes ahead of it.
constexpr auto spin_time = 100us;
// After a long sleep the cores of the ranks that will answer sleep as well, and each of their
// threads takes its time to wake; going back to sleep meanwhile would add another such wake-up.
constexpr auto long_sleep = 5ms;
constexpr auto spin_time_after_long_sleep = 500us;

// How long a thread tries to lead while the host is busy. A short task or call answers within this
// time. A thread that sleeps meanwhile lets its core halt, and waking that takes longer than the
// answer; yielding, it keeps the core and hinders nobody.
constexpr auto wish_time = 50us;
// Whoever submits to a rank that was quiet for so long probably submits one thing.
constexpr auto quiet_time = 1ms;
// A guest that is done does so much of what it finds waiting before it wakes the host for it.
constexpr int last_rounds_max = 4;

} // namespace

/// Ends also if what the guest waits with throws.
class Leadership::Turn {
public:
    explicit Turn(Leadership& leadership) : leadership_(leadership) {}

    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    ~Turn() { leadership_.hand_back(); }

private:
    Leadership& leadership_;
};

void Leadership::attach(Driven& driven, transport::Transport& transport) {
    driven_ = &driven;
    transport_ = &transport;
    last_event_ = Clock::now().time_since_epoch().count();
}

void Leadership::note_event() {
    const auto now = Clock::now();
    const Clock::time_point last{Clock::duration{last_event_.load(std::memory_order_relaxed)}};
    busy_until_ = now + (now - last >= long_sleep ? spin_time_after_long_sleep : spin_time);
    last_event_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

TimePoint Leadership::sleep_end(TimePoint now) const {
    return std::min<TimePoint>(now + sleep_time_max_, driven_->next_due());
}

void Leadership::host() {
    for (;;) {
        const bool busy = driven_->round(Sleeper::host);
        if (driven_->finished()) {
            return;
        }
        if (busy) {
            note_event();
            continue;
        }
        const auto now = Clock::now();
        if (now < busy_until_ && wishes_.load(std::memory_order_relaxed) == 0) {
            ::sched_yield();
            continue;
        }
        const Clock::time_point last{Clock::duration{last_event_.load(std::memory_order_relaxed)}};
        driven_->at_rest(now, now - last);
        if (transport_->sends_pending()) {
            ::sched_yield();
            continue;
        }
        sleep_as_host(now);
    }
}

void Leadership::sleep_as_host(TimePoint now) {
    const auto until = transport_->prepare_sleep(Sleeper::host, sleep_end(now));
    if (!until) {
        return;
    }
    host_sleeps_until_ = *until;
    state_.store(State::host_sleeps);
    transport_->sleep(Sleeper::host, *until);
    for (State state = state_.load(); state != State::host_leads; state = state_.load()) {
        if (state == State::host_sleeps) {
            state_.compare_exchange_strong(state, State::host_leads);
        } else if (state == State::stand_in_leads) {
            ::sched_yield(); // called, it sees that before the stand-in has gone
            transport_->sleep(Sleeper::host, Clock::now() + sleep_time_max_);
        } else if (state == State::guest_leads) {
            state_.compare_exchange_strong(state, State::host_waits);
        } else {
            state_.wait(State::host_waits);
        }
    }
    rise();
}

void Leadership::rise() {
    if (transport_->rise()) {
        busy_until_ = Clock::now() + spin_time; // what it was rung for may still be on its way
    }
}

bool Leadership::take(State leader) {
    State state = State::host_sleeps;
    if (state_.load(std::memory_order_relaxed) != state ||
        !state_.compare_exchange_strong(state, leader)) {
        return false;
    }
    transport_->rise();
    return true;
}

void Leadership::hand_back() {
    const bool stood_in = state_.load() == State::stand_in_leads;
    if (stood_in) {
        host_sleeps_until_ = Clock::now() + sleep_time_max_; // or less
    }
    bool calm = false;
    for (int i = 0; i < last_rounds_max && !calm && !driven_->needs_host(); ++i) {
        calm = !driven_->orders_left() && !transport_->sends_pending() &&
               prepare_sleep(Sleeper::host, sleep_end(Clock::now())).has_value();
        if (!calm) {
            guest_round();
        }
    }
    // Before the state changes: afterwards the loop and its transport may be gone at any time.
    const bool due_earlier = driven_->next_due() < host_sleeps_until_;
    State state = stood_in ? State::stand_in_leads : State::guest_leads;
    if ((!calm || due_earlier) && state_.load() == state) {
        transport_->call(Sleeper::host);
    }
    if (!state_.compare_exchange_strong(state, State::host_sleeps)) {
        state_.store(State::host_leads);
        state_.notify_one();
    }
}

bool Leadership::guest_round() {
    bool busy = false;
    try {
        busy = driven_->round(Sleeper::guest);
    } catch (const std::exception& error) {
        driven_->give_up(error);
    }
    if (busy) {
        note_event();
    }
    return busy;
}

std::optional<TimePoint> Leadership::prepare_sleep(Sleeper who, TimePoint deadline) {
    std::optional<TimePoint> until;
    try {
        until = transport_->prepare_sleep(who, deadline);
    } catch (const std::exception& error) {
        driven_->give_up(error);
    }
    return until;
}

bool Leadership::drive_once() {
    if (!take(State::guest_leads)) {
        return false;
    }
    const Turn turn(*this);
    waited_.store(false, std::memory_order_relaxed);
    guest_round();
    return true;
}

bool Leadership::drive_if_quiet() {
    if (state_.load(std::memory_order_relaxed) != State::host_sleeps) {
        return false;
    }
    if (!waited_.load(std::memory_order_relaxed)) {
        const Clock::time_point last{Clock::duration{last_event_.load(std::memory_order_relaxed)}};
        if (Clock::now() - last < quiet_time) {
            return false;
        }
    }
    return drive_once();
}

bool Leadership::lead(const std::function<bool()>& done,
                      std::optional<TimePoint> deadline,
                      bool& unheard) {
    const Turn turn(*this);
    while (!done()) {
        if (driven_->needs_host()) {
            return false;
        }
        unheard = false;
        if (guest_round()) {
            continue;
        }
        const auto now = Clock::now();
        if (deadline && now >= *deadline) {
            return false;
        }
        if (now < busy_until_ || transport_->sends_pending()) {
            ::sched_yield();
            continue;
        }
        const auto wake_at = sleep_end(now);
        const auto until =
            prepare_sleep(Sleeper::guest, deadline ? std::min(*deadline, wake_at) : wake_at);
        if (until) {
            transport_->sleep(Sleeper::guest, *until);
            rise();
        }
    }
    waited_.store(true, std::memory_order_relaxed);
    return true;
}

bool Leadership::drive_until(const std::function<bool()>& done,
                             std::optional<TimePoint> deadline,
                             bool& unheard) {
    struct Wish {
        std::atomic<std::uint32_t>& wishes;

        explicit Wish(std::atomic<std::uint32_t>& all) : wishes(all) {
            wishes.fetch_add(1, std::memory_order_relaxed);
        }

        Wish(const Wish&) = delete;
        Wish& operator=(const Wish&) = delete;

        ~Wish() { wishes.fetch_sub(1, std::memory_order_relaxed); }
    };

    const Wish wish(wishes_);
    const auto wish_until = Clock::now() + wish_time;
    while (!done()) {
        if (take(State::guest_leads)) {
            return lead(done, deadline, unheard);
        }
        if (unheard) {
            unheard = false;
            transport_->wake();
        }
        const auto now = Clock::now();
        if (now >= wish_until || (deadline && now >= *deadline)) {
            return false;
        }
        ::sched_yield();
    }
    return true;
}

void Leadership::stand_in(const std::function<bool()>& wanted, Duration patience, bool& unheard) {
    const auto give_up_at = Clock::now() + patience;
    while (!take(State::stand_in_leads)) {
        if (Clock::now() >= give_up_at) {
            return;
        }
        ::sched_yield();
    }
    lead([&] { return wishes_.load(std::memory_order_relaxed) > 0 || wanted(); },
         std::nullopt,
         unheard);
}

} // namespace muster::runtime
