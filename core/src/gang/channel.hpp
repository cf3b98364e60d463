#pragma once

#include "gang/futex.hpp"
#include "wire/gang_tags.hpp"

#include <muster/base/error.hpp>
#include <muster/base/ids.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace muster::gang {

using wire::Tag;

/// One member of a gang, as everybody in it knows it; by its rank within the gang.
struct Member {
    Rank rank{};
    NodeId node{};
    std::string host;
};

/// The end of one send or receive: the channel completes it, the member's thread waits for it.
class Completion {
public:
    enum class State : std::uint32_t { pending, done, failed };

    /// Called once by the channel, on a thread of its own.
    void complete() { settle(State::done); }

    /// Called once by the channel, on a thread of its own. The message will not come; why is in
    /// the gang's abort reason, or `why`. `code` is usage where the members' calls do not match.
    void fail(std::string why, ErrorCode code = ErrorCode::aborted) {
        why_ = std::move(why);
        code_ = code;
        settle(State::failed);
    }

    [[nodiscard]] State state() const { return state_.load(std::memory_order_acquire); }

    [[nodiscard]] bool pending() const { return state() == State::pending; }

    /// Valid once failed.
    [[nodiscard]] const std::string& why() const { return why_; }

    [[nodiscard]] ErrorCode code() const { return code_; }

    /// Sleeps until it is not pending, at most so long; may return early.
    void sleep(std::chrono::milliseconds at_most) const {
        futex::sleep(state_, State::pending, at_most);
    }

private:
    void settle(State state) {
        state_.store(state, std::memory_order_release);
        futex::wake(state_);
    }

    std::atomic<State> state_{State::pending};
    std::string why_;
    ErrorCode code_ = ErrorCode::aborted;
};

/// A member's way to the others, through the progress thread or, in tests, through memory.
/// Any thread. After the gang is aborted, or this member's end of the channel closed, every
/// operation under way and every later one fails.
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

    /// Waits for the message in vain so far: if its sender has returned without sending it, the
    /// receive fails. Never blocks.
    virtual void ask(int /*from*/, Tag /*tag*/) {}

    /// This member's function has returned: it sends and receives no more of the users' messages.
    /// Whoever offers one, or asks for one, is told. Never blocks.
    virtual void returned() {}

    /// This member gives up: all its operations under way fail soon, and later ones at once. Who
    /// waits for its memory to be given back, to throw an error, depends on it. May be called
    /// again. Never blocks.
    virtual void close(const std::string& why) = 0;
};

} // namespace muster::gang
