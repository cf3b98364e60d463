#include "gang/message_engine.hpp"
#include "gang/slices.hpp"

#include <algorithm>
#include <cstring>

// Collectives of more data than a meeting carries. All members have met and do the same; each
// message is awaited by the one it goes to.
namespace muster::gang {
namespace {

constexpr unsigned step_data = 97;
constexpr unsigned step_results = 98;
constexpr unsigned step_tree = 128; // And one for each level.

} // namespace

// Every member of a segment has the segment's reduction; both halves swap theirs. The upper half
// may have one member more, who gets the lower half's from its last.
void MessageEngine::reduce_along_tree(const Collective& collective) {
    const Descriptor& call = collective.call;

    struct Segment {
        int low;
        int high;
    };

    std::vector<Segment> path;
    for (Segment at{0, size_}; at.high - at.low > 1;) {
        path.push_back(at);
        const int mid = middle(at.low, at.high);
        at = self_ < mid ? Segment{at.low, mid} : Segment{mid, at.high};
    }
    const std::span<const std::byte> data = collective.contribution();
    std::vector<std::byte> mine(data.begin(), data.end());
    std::vector<std::byte> others(data.size());
    while (!path.empty()) {
        const auto [low, high] = path.back();
        path.pop_back();
        const Tag step = tag(call.sequence, step_tree + static_cast<unsigned>(path.size()));
        const int mid = middle(low, high);
        const int last = mid - low - 1; // Of the lower half, from its beginning.
        Transfers transfers(channel_, ending_);
        const bool is_lower = self_ < mid;
        if (is_lower) {
            const int place = self_ - low;
            transfers.receive(mid + place, step, others);
            transfers.send(mid + place, step, mine);
            if (place == last && mid + last + 1 < high) {
                transfers.send(mid + last + 1, step, mine);
            }
        } else {
            const int place = self_ - mid;
            transfers.receive(low + std::min(place, last), step, others);
            if (place <= last) {
                transfers.send(low + place, step, mine);
            }
        }
        transfers.wait();
        const std::array<const std::byte*, 2> halves =
            is_lower ? std::array<const std::byte*, 2>{mine.data(), others.data()}
                     : std::array<const std::byte*, 2>{others.data(), mine.data()};
        combine(call.type, call.op, halves, mine.data(), collective.count());
    }
    if (call.kind == Kind::all_reduce || self_ == call.root) {
        std::memcpy(collective.result.data(), mine.data(), mine.size());
    }
}

// Piece by piece: everybody sends its part of each slice to the slice's owner, who combines them
// and, except in a reduce_scatter, sends the reduction to whom it is for. While a piece is
// combined, the next is on its way; the one before it is awaited, which bounds what is under way.
void MessageEngine::reduce_by_slices(const Collective& collective) {
    const Descriptor& call = collective.call;
    const std::uint64_t element = collective.element_bytes();
    const std::uint64_t each = std::max<std::uint64_t>(1, piece_bytes_ / element);
    const auto n = static_cast<std::uint64_t>(size_);
    const auto self = static_cast<std::uint64_t>(self_);
    const bool scatters = call.kind == Kind::reduce_scatter;
    const std::byte* const data = collective.contribution().data();
    std::byte* const result = collective.result.data();

    // A piece of a member's slice, in bytes from the beginning of the data.
    const auto piece = [&](std::uint64_t member, std::uint64_t i) -> Slice {
        const Slice slice = scatters ? Slice{member * collective.count(), collective.count()}
                                     : slice_of(collective.count(), n, member);
        const Slice part = piece_of(slice.size, each, i);
        return {(slice.begin + part.begin) * element, part.size * element};
    };
    const std::uint64_t largest =
        scatters ? collective.count() : slice_of(collective.count(), n, 0).size;
    const std::uint64_t pieces = piece_count(largest, each);
    const std::uint64_t room = std::min(each, largest) * element;

    struct Window {
        Window(Channel& channel, const Ending& ending)
            : sends(channel, ending), receives(channel, ending), results(channel, ending) {}

        std::vector<std::byte> arriving; // One piece of each member.
        std::vector<std::byte> reduced;  // Where the result is not this member's to keep.
        Transfers sends;
        Transfers receives;
        Transfers results;
    };

    std::array<Window, 2> windows{Window(channel_, ending_), Window(channel_, ending_)};
    std::vector<const std::byte*> inputs(n);
    const bool keeps = scatters || call.kind == Kind::all_reduce || self_ == call.root;
    for (Window& window : windows) {
        window.arriving.resize(room * n);
        window.reduced.resize(keeps ? 0 : room);
    }

    const auto start = [&](std::uint64_t i) {
        Window& window = windows[i % 2];
        window.results.wait();
        for (int distance = 1; distance < size_; ++distance) {
            const int to = member_at(distance);
            const int from = member_at(-distance);
            const Slice out = piece(static_cast<std::uint64_t>(to), i);
            window.receives.receive(
                from,
                tag(call.sequence, step_data),
                {window.arriving.data() + static_cast<std::uint64_t>(from) * room,
                 piece(self, i).size});
            window.sends.send(to, tag(call.sequence, step_data), {data + out.begin, out.size});
        }
    };
    const auto reduce = [&](std::uint64_t i) {
        Window& window = windows[i % 2];
        const Slice own = piece(self, i);
        window.receives.wait();
        for (std::uint64_t member = 0; member < n; ++member) {
            inputs[member] =
                member == self ? data + own.begin : window.arriving.data() + member * room;
        }
        std::byte* const out = !keeps     ? window.reduced.data()
                               : scatters ? result + own.begin - self * call.bytes
                                          : result + own.begin;
        combine(call.type, call.op, inputs, out, own.size / element);
        window.sends.wait(); // Results may come to where the data was.
        for (int distance = 1; distance < size_ && !scatters; ++distance) {
            const int to = member_at(distance);
            const int from = member_at(-distance);
            const Slice in = piece(static_cast<std::uint64_t>(from), i);
            if (call.kind == Kind::all_reduce || to == call.root) {
                window.results.send(to, tag(call.sequence, step_results), {out, own.size});
            }
            if (keeps) {
                window.results.receive(
                    from, tag(call.sequence, step_results), {result + in.begin, in.size});
            }
        }
    };

    start(0);
    for (std::uint64_t i = 0; i < pieces; ++i) {
        if (i + 1 < pieces) {
            start(i + 1);
        }
        reduce(i);
    }
    for (Window& window : windows) {
        window.results.wait();
    }
}

// A binomial tree with the root's place first: a member's parent is it without its lowest bit.
void MessageEngine::broadcast(const Collective& collective) {
    const Descriptor& call = collective.call;
    const int place = member_at(-call.root);
    const auto at = [&](int other) { return (other + call.root) % size_; };
    const Tag step = tag(call.sequence, step_data);
    int lowest = 1;
    while (lowest < size_ && (place & lowest) == 0) {
        lowest *= 2;
    }
    const std::uint64_t pieces = piece_count(call.bytes, piece_bytes_);
    std::array<Transfers, 2> sends{Transfers(channel_, ending_), Transfers(channel_, ending_)};
    std::array<Transfers, 2> receives{Transfers(channel_, ending_), Transfers(channel_, ending_)};
    const auto receive = [&](std::uint64_t i) {
        if (place != 0 && i < pieces) {
            const Slice piece = piece_of(call.bytes, piece_bytes_, i);
            receives[i % 2].receive(
                at(place & ~lowest), step, collective.result.subspan(piece.begin, piece.size));
        }
    };
    receive(0);
    for (std::uint64_t i = 0; i < pieces; ++i) {
        receive(i + 1);
        receives[i % 2].wait();
        sends[i % 2].wait();
        const Slice piece = piece_of(call.bytes, piece_bytes_, i);
        for (int bit = lowest / 2; bit > 0; bit /= 2) {
            if (place + bit < size_) {
                sends[i % 2].send(
                    at(place + bit), step, collective.result.subspan(piece.begin, piece.size));
            }
        }
    }
    for (Transfers& window : sends) {
        window.wait();
    }
}

void MessageEngine::all_gather(const Collective& collective) {
    const Descriptor& call = collective.call;
    const Tag step = tag(call.sequence, step_data);
    const auto part = [&](int member) {
        return collective.result.subspan(static_cast<std::uint64_t>(member) * call.bytes,
                                         call.bytes);
    };
    if (part(self_).data() != collective.data.data()) {
        std::memcpy(part(self_).data(), collective.data.data(), call.bytes);
    }
    Transfers transfers(channel_, ending_);
    for (int distance = 1; distance < size_; ++distance) {
        transfers.receive(member_at(-distance), step, part(member_at(-distance)));
        transfers.send(member_at(distance), step, collective.data);
    }
    transfers.wait();
}

void MessageEngine::all_to_all(const Collective& collective) {
    const Descriptor& call = collective.call;
    const Tag step = tag(call.sequence, step_data);
    const auto begin = [&](int member) { return static_cast<std::uint64_t>(member) * call.bytes; };
    std::memcpy(
        collective.result.data() + begin(self_), collective.data.data() + begin(self_), call.bytes);
    for (int distance = 1; distance < size_; ++distance) {
        Transfers transfers(channel_, ending_);
        const int to = member_at(distance);
        const int from = member_at(-distance);
        transfers.receive(from, step, collective.result.subspan(begin(from), call.bytes));
        transfers.send(to, step, collective.data.subspan(begin(to), call.bytes));
        transfers.wait();
    }
}

} // namespace muster::gang
