#include "gang/message_engine.hpp"

#include "wire/gang_tags.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace muster::gang {
namespace {

constexpr std::size_t inline_bytes_max = 128;

// What of a collective its messages belong to; with the sequence number it makes their tag.
constexpr unsigned step_frame = 0;
constexpr unsigned step_payload = 32;
constexpr unsigned step_parting = 64;
constexpr unsigned step_values = 96;

} // namespace

// One message of a meeting: the sender's call, what it has heard of mismatches, and the
// contributions it has, if they are few bytes.
struct MessageEngine::Frame {
    Descriptor call;
    Mismatch mismatch;
    std::array<std::byte, inline_bytes_max> contributions;
};

struct MessageEngine::Meeting {
    Meeting(Channel& channel, const Ending& ending, std::size_t rounds)
        : sent(rounds), sends(channel, ending), payloads(channel, ending) {}

    std::vector<Frame> sent; // By round.
    Frame received;
    std::vector<std::byte> held; // Contributions of this member, the one before it, and so on.
    Transfers sends;
    Transfers payloads;
};

MessageEngine::MessageEngine(int self,
                             std::span<const Member> members,
                             Channel& channel,
                             Ending& ending,
                             std::uint64_t piece_bytes)
    : self_(self), size_(static_cast<int>(members.size())), members_(members), channel_(channel),
      ending_(ending), piece_bytes_(piece_bytes) {
    const auto rounds = static_cast<std::size_t>(std::bit_width(members.size() - 1));
    for (auto& meeting : meetings_) {
        meeting = std::make_unique<Meeting>(channel_, ending_, rounds);
    }
}

MessageEngine::~MessageEngine() = default;

Tag MessageEngine::tag(std::uint64_t sequence, unsigned step) const {
    return wire::tag_of_collectives | (sequence << 8) | step;
}

int MessageEngine::member_at(std::int64_t distance) const {
    const std::int64_t n = size_;
    return static_cast<int>(((self_ + distance) % n + n) % n);
}

void MessageEngine::run(const Collective& collective) {
    const std::span<const std::byte> contribution = collective.contribution();
    if (size_ == 1) {
        const std::byte* own = contribution.data();
        return finish(collective, {&own, 1}, self_);
    }
    ending_.check();
    const auto n = static_cast<std::uint64_t>(size_);
    const Descriptor& call = collective.call;
    // Decided by what all members know alike: the call, once it is seen to be the same.
    if (contribution.size() <= carried_bytes_max / n) {
        std::vector<const std::byte*> blocks;
        check(meet(call, contribution, &blocks));
        return finish(collective, blocks, self_);
    }
    check(meet(call, {}, nullptr));
    switch (call.kind) {
    case Kind::barrier:
    case Kind::returned:
        return;
    case Kind::broadcast:
        return broadcast(collective);
    case Kind::all_gather:
        return all_gather(collective);
    case Kind::all_to_all:
        return all_to_all(collective);
    case Kind::reduce:
    case Kind::all_reduce:
        return call.bytes <= tree_bytes_max ? reduce_along_tree(collective)
                                            : reduce_by_slices(collective);
    case Kind::reduce_scatter:
        return reduce_by_slices(collective);
    }
}

Mismatch MessageEngine::meet(const Descriptor& call,
                             std::span<const std::byte> contribution,
                             std::vector<const std::byte*>* blocks) {
    Meeting& meeting = *meetings_[call.sequence % meetings_.size()];
    meeting.sends.wait();
    const auto n = static_cast<std::size_t>(size_);
    const std::size_t block = contribution.size();
    meeting.held.resize(n * block);
    if (block > 0) {
        std::memcpy(meeting.held.data(), contribution.data(), block);
    }
    Mismatch mismatch;
    exchange_frames(meeting, call, mismatch, block);
    if (blocks != nullptr && !mismatch) {
        blocks->resize(n);
        for (std::size_t i = 0; i < n; ++i) {
            const auto member = static_cast<std::size_t>(member_at(-static_cast<std::int64_t>(i)));
            (*blocks)[member] = meeting.held.data() + i * block;
        }
    }
    return mismatch;
}

// In round k, member i sends what it knows of members i, i-1, ..., i-2^k+1 to member i+2^k. Frames
// are alike for all collectives, so that members meet whatever they called; what follows a frame
// depends on the call, and is left alone once a mismatch is known.
void MessageEngine::exchange_frames(Meeting& meeting,
                                    const Descriptor& call,
                                    Mismatch& mismatch,
                                    std::uint64_t block_bytes) {
    unsigned round = 0;
    for (std::int64_t distance = 1; distance < size_; distance *= 2, ++round) {
        const int to = member_at(distance);
        const int from = member_at(-distance);
        const auto blocks = static_cast<std::uint64_t>(std::min(distance, size_ - distance));
        const std::uint64_t bytes = blocks * block_bytes;
        const bool is_inline = bytes <= inline_bytes_max;
        std::byte* const arriving =
            meeting.held.data() + static_cast<std::uint64_t>(distance) * block_bytes;

        Frame& frame = meeting.sent[round];
        frame.call = call;
        frame.mismatch = mismatch;
        if (is_inline && bytes > 0) {
            std::memcpy(frame.contributions.data(), meeting.held.data(), bytes);
        }
        meeting.sends.send(
            to, tag(call.sequence, step_frame + round), std::as_bytes(std::span(&frame, 1)));
        if (!is_inline && !mismatch) {
            meeting.sends.send(
                to, tag(call.sequence, step_payload + round), {meeting.held.data(), bytes});
            meeting.payloads.receive(
                from, tag(call.sequence, step_payload + round), {arriving, bytes});
        }
        Transfers frames(channel_, ending_);
        frames.receive(from,
                       tag(call.sequence, step_frame + round),
                       std::as_writable_bytes(std::span(&meeting.received, 1)));
        frames.wait();
        if (!mismatch) {
            mismatch = meeting.received.mismatch;
        }
        if (!mismatch && meeting.received.call != call) {
            mismatch = {from, self_, meeting.received.call, call};
        }
        if (mismatch) {
            continue;
        }
        if (!is_inline) {
            meeting.payloads.wait();
        } else if (bytes > 0) {
            std::memcpy(arriving, meeting.received.contributions.data(), bytes);
        }
    }
    if (mismatch) {
        part_in_step(call, mismatch);
    }
}

// Nobody throws before all know why: the gang is aborted once the first does, and the others should
// say what went wrong and not only that something did.
void MessageEngine::part_in_step(const Descriptor& call, const Mismatch& mismatch) {
    try {
        unsigned round = 0;
        const std::byte nothing{};
        std::byte received{};
        Transfers sends(channel_, ending_);
        for (std::int64_t distance = 1; distance < size_; distance *= 2, ++round) {
            const Tag step = tag(call.sequence, step_parting + round);
            sends.send(member_at(distance), step, {&nothing, 1});
            Transfers receives(channel_, ending_);
            receives.receive(member_at(-distance), step, {&received, 1});
            receives.wait();
        }
        sends.wait();
    } catch (const Error&) {
        check(mismatch); // The better reason.
    }
}

void MessageEngine::check(const Mismatch& mismatch) {
    if (mismatch) {
        throw UsageError(describe(mismatch, members_));
    }
}

std::vector<Buffer> MessageEngine::gather(const Descriptor& call, const Buffer& own) {
    if (size_ == 1) {
        return {own};
    }
    ending_.check();
    const std::uint64_t own_size = own.size();
    std::vector<const std::byte*> blocks;
    check(meet(call, std::as_bytes(std::span(&own_size, 1)), &blocks));
    std::vector<Buffer> values;
    Transfers transfers(channel_, ending_);
    if (self_ == 0) {
        values.push_back(own);
        for (int member = 1; member < size_; ++member) {
            std::uint64_t size = 0;
            std::memcpy(&size, blocks[static_cast<std::size_t>(member)], sizeof size);
            if (size == 0) {
                values.emplace_back();
                continue;
            }
            auto memory = allocate_bytes(size);
            transfers.receive(member, tag(call.sequence, step_values), {memory.get(), size});
            values.emplace_back(std::move(memory), size);
        }
    } else {
        transfers.send(0, tag(call.sequence, step_values), own.bytes());
    }
    transfers.wait();
    // The communicator may go now, and others still need what it said.
    for (auto& meeting : meetings_) {
        meeting->sends.wait();
    }
    return values;
}

} // namespace muster::gang
