#pragma once

#include "wire/task_messages.hpp"

#include <compare>
#include <cstdint>
#include <string>

/// Between the members of a gang. A message up to a few KiB goes at once (GangData); a longer one
/// is offered, and sent in bulk once the receiver has asked for it:
///
///     sender   -> receiver  GangOffer     I have so many bytes for you
///     receiver -> sender    GangAccept    send them as this transfer; or GangRefuse: nobody will
///     sender   -> receiver  GangStarted   they are on their way: receive them now
///                           or GangWithdrawn: the sender has given up meanwhile
///
/// So nobody waits for a transfer that is not under way. And who waits for a message for long asks
/// for it, so that nobody waits for a member that has returned:
///
///     receiver -> sender    GangAsk       is it still to come?
///     sender   -> receiver  GangNone      no, its member has returned; said as soon as that is so
namespace muster::wire {

/// From one member to another: which message this is about.
struct GangAddress {
    LeaseId gang{};
    std::int32_t from = 0;
    std::int32_t to = 0;
    std::uint64_t tag = 0;

    friend auto operator<=>(const GangAddress&, const GangAddress&) = default;
};

struct GangData {
    GangAddress address;
    Buffer data;
};

struct GangOffer {
    GangAddress address;
    std::uint64_t offer = 0; ///< Numbered by the sending rank.
    std::uint64_t size = 0;
};

struct GangAccept {
    std::uint64_t offer = 0;
    std::uint64_t transfer = 0;
};

/// The receiver has ended, or expects another size: why, as a sentence.
struct GangRefuse {
    std::uint64_t offer = 0;
    std::string why;
    ErrorCode code = ErrorCode::aborted;
};

struct GangStarted {
    std::uint64_t transfer = 0;
};

struct GangWithdrawn {
    std::uint64_t transfer = 0;
};

struct GangAsk {
    GangAddress address;
};

struct GangNone {
    GangAddress address;
};

/// A member ended without a result: its gang is over. To the ranks of all others.
struct GangFailed {
    LeaseId gang{};
    std::int32_t member = 0;
    FailureRecord failure;
};

} // namespace muster::wire
