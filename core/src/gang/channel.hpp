#pragma once

#include <muster/base/ids.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace muster::gang {

/// One member of a gang, as everybody in it knows it; by its rank within the gang.
struct Member {
    Rank rank{};
    NodeId node{};
    std::string host;
};

/// Tells messages of one pair apart; those of one pair and tag keep their order.
using Tag = std::uint64_t;

/// The end of one send or receive: the channel completes it, the member's thread waits for it.
class Completion {
public:
    enum class State : std::uint32_t { pending, done, failed };

    /// Called once by the channel, on a thread of its own.
    void complete() { settle(State::done); }

    /// The message will not come; why is in the gang's abort reason, or `why`.
    void fail(std::string why) {
        why_ = std::move(why);
        settle(State::failed);
    }

    [[nodiscard]] State state() const { return state_.load(std::memory_order_acquire); }

    /// Valid once failed.
    [[nodiscard]] const std::string& why() const { return why_; }

    /// Sleeps until it is not pending.
    void wait() const { state_.wait(State::pending, std::memory_order_acquire); }

private:
    void settle(State state) {
        state_.store(state, std::memory_order_release);
        state_.notify_all();
    }

    std::atomic<State> state_{State::pending};
    std::string why_;
};

/// A member's way to the others, through the progress thread or, in tests, through memory.
/// Any thread. After the gang is aborted every operation under way, and every later one, fails.
class Channel {
public:
    Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    virtual ~Channel() = default;

    /// `data` must stay untouched until `done` is settled. Never blocks. Sending to oneself works.
    virtual void
    send(int to, Tag tag, std::span<const std::byte> data, std::shared_ptr<Completion> done) = 0;

    /// Receives the next message of (from, tag), which must have exactly into.size() bytes; another
    /// size fails the receive with a sentence. Never blocks.
    virtual void
    receive(int from, Tag tag, std::span<std::byte> into, std::shared_ptr<Completion> done) = 0;
};

} // namespace muster::gang
