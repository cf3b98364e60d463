#include "gang/shared_engine.hpp"

#include "gang/patience.hpp"
#include "gang/slices.hpp"

#include <algorithm>
#include <cstring>

namespace muster::gang {
namespace {

// Combined and copied at a time, so that the copy reads what is still in the first cache.
constexpr std::uint64_t copied_with_bytes = 8 << 10;

bool reached(std::uint32_t progress, std::uint32_t step) {
    return static_cast<std::int32_t>(progress - step) >= 0; // Counters wrap.
}

void copy_bytes(std::byte* to, const std::byte* from, std::uint64_t size) {
    if (size > 0) {
        std::memcpy(to, from, size);
    }
}

} // namespace

SharedEngine::SharedEngine(int self,
                           std::span<const Member> members,
                           std::shared_ptr<Segment> segment,
                           Ending& ending)
    : self_(self), size_(static_cast<int>(members.size())), members_(members),
      segment_(std::move(segment)), ending_(ending) {
}

void SharedEngine::post(std::uint32_t step) {
    step_ = step;
    Control& own = segment_->control(self_);
    // In one order with a sleeper's announcement and its last look: one of both sees the other's.
    own.progress.exchange(step, std::memory_order_seq_cst);
    if (own.sleepers.load(std::memory_order_seq_cst) > 0) {
        futex::wake(own.progress);
    }
}

void SharedEngine::wait_for(int member, std::uint32_t step) {
    Control& other = segment_->control(member);
    Patience patience;
    while (!reached(other.progress.load(std::memory_order_acquire), step)) {
        ending_.check();
        if (patience.pass()) {
            continue;
        }
        other.sleepers.fetch_add(1, std::memory_order_seq_cst);
        const std::uint32_t seen = other.progress.load(std::memory_order_seq_cst);
        if (!reached(seen, step) && !ending_.ended()) {
            futex::sleep(other.progress, seen, Patience::sleep_max);
        }
        other.sleepers.fetch_sub(1, std::memory_order_seq_cst);
    }
}

void SharedEngine::wait_for_all(std::uint32_t step) {
    for (int distance = 1; distance < size_; ++distance) {
        wait_for((self_ + distance) % size_, step);
    }
}

void SharedEngine::wake() {
    for (int member = 0; member < size_; ++member) {
        futex::wake(segment_->control(member).progress);
    }
}

void SharedEngine::meet(const Descriptor& call, std::span<const std::byte> contribution) {
    const std::size_t slot = call.sequence % 2;
    segment_->control(self_).calls[slot] = call;
    copy_bytes(segment_->carried(self_, call.sequence), contribution.data(), contribution.size());
    post(step_ + 1);
    wait_for_all(step_);
    Mismatch mismatch;
    const Descriptor& first = segment_->control(0).calls[slot];
    for (int member = 1; member < size_ && !mismatch; ++member) {
        const Descriptor& other = segment_->control(member).calls[slot];
        if (other != first) {
            mismatch = {member, 0, other, first};
        }
    }
    if (!mismatch) {
        return;
    }
    // Nobody throws before all know why: the gang is aborted once the first does, and the others
    // should say what went wrong and not only that something did.
    try {
        post(step_ + 1);
        wait_for_all(step_);
    } catch (const Error&) {
        throw UsageError(describe(mismatch, members_)); // The better reason.
    }
    throw UsageError(describe(mismatch, members_));
}

void SharedEngine::run(const Collective& collective) {
    ending_.check();
    const std::span<const std::byte> contribution = collective.contribution();
    const Descriptor& call = collective.call;
    // Decided by what all members know alike: the call, once it is seen to be the same.
    if (contribution.size() <= segment_->layout().carried_room) {
        meet(call, contribution);
        std::vector<const std::byte*> blocks;
        for (int member = 0; member < size_; ++member) {
            blocks.push_back(segment_->carried(member, call.sequence));
        }
        return finish(collective, blocks, self_);
    }
    meet(call, {});
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
        return reduce(collective);
    case Kind::reduce_scatter:
        return reduce_scatter(collective);
    }
}

template <class Put, class Work>
void SharedEngine::pipeline(std::uint64_t chunks, const Put& put, const Work& work) {
    const std::uint32_t first = step_ + 1; // Chunk c is there at step first + c.
    put(std::uint64_t{0});
    post(first);
    for (std::uint64_t c = 0; c < chunks; ++c) {
        if (c + 1 < chunks) {
            put(c + 1);
            post(step_ + 1);
        }
        wait_for_all(first + static_cast<std::uint32_t>(c));
        work(c);
    }
}

template <class Put, class Work, class Fetch>
void SharedEngine::pipeline(std::uint64_t chunks,
                            const Put& put,
                            const Work& work,
                            const Fetch& fetch) {
    // Chunk c is there at step first + 2c, and reduced at step first + 2c + 3.
    const std::uint32_t first = step_ + 1;
    const auto at = [first](std::uint64_t c) { return first + 2 * static_cast<std::uint32_t>(c); };
    put(std::uint64_t{0});
    post(first);
    for (std::uint64_t c = 0; c < chunks; ++c) {
        if (c + 1 < chunks) {
            put(c + 1);
        }
        post(at(c + 1));
        wait_for_all(at(c));
        work(c);
        post(at(c) + 3);
        if (c > 0) {
            wait_for_all(at(c - 1) + 3);
            fetch(c - 1);
        }
    }
    wait_for_all(at(chunks - 1) + 3);
    fetch(chunks - 1);
}

// Of a chunk, every member has the piece that is its own to reduce, and puts the others. Where its
// own would be, it puts the reduction.
void SharedEngine::reduce(const Collective& collective) {
    const Descriptor& call = collective.call;
    const SegmentLayout& layout = segment_->layout();
    const std::uint64_t element = collective.element_bytes();
    const std::uint64_t each = layout.chunk_room / element;
    const std::byte* const data = collective.contribution().data();
    const bool keeps = call.kind == Kind::all_reduce || self_ == call.root;
    std::byte* const result = collective.result.data();
    std::vector<const std::byte*> inputs(layout.members);

    const auto piece = [&](std::uint64_t c, int member) -> Slice {
        const Slice chunk = piece_of(collective.count(), each, c);
        const Slice part = slice_of(chunk.size, layout.members, static_cast<std::uint64_t>(member));
        return {(chunk.begin + part.begin) * element, part.size * element};
    };
    const auto place = [&](int holder, std::uint64_t c, int member) {
        return segment_->chunk(holder, c) + static_cast<std::uint64_t>(member) * layout.piece_room;
    };
    const auto put = [&](std::uint64_t c) {
        for (int member = 0; member < size_; ++member) {
            if (member != self_) {
                const Slice part = piece(c, member);
                copy_bytes(place(self_, c, member), data + part.begin, part.size);
            }
        }
    };
    const auto work = [&](std::uint64_t c) {
        const Slice own = piece(c, self_);
        std::byte* const reduction = place(self_, c, self_);
        for (std::uint64_t begin = 0; begin < own.size; begin += copied_with_bytes) {
            const std::uint64_t size = std::min(copied_with_bytes, own.size - begin);
            for (int member = 0; member < size_; ++member) {
                inputs[static_cast<std::size_t>(member)] =
                    (member == self_ ? data + own.begin : place(member, c, self_)) + begin;
            }
            combine(call.type, call.op, inputs, reduction + begin, size / element);
            if (keeps) {
                copy_bytes(result + own.begin + begin, reduction + begin, size);
            }
        }
    };
    const auto fetch = [&](std::uint64_t c) {
        for (int distance = 1; distance < size_ && keeps; ++distance) {
            const int member = (self_ + distance) % size_;
            const Slice part = piece(c, member);
            copy_bytes(result + part.begin, place(member, c, member), part.size);
        }
    };
    pipeline(piece_count(collective.count(), each), put, work, fetch);
}

void SharedEngine::reduce_scatter(const Collective& collective) {
    const Descriptor& call = collective.call;
    const SegmentLayout& layout = segment_->layout();
    std::vector<const std::byte*> inputs(layout.members);
    const auto put = [&](std::uint64_t c) {
        const Slice piece = piece_of(call.bytes, layout.piece_room, c);
        for (std::uint64_t member = 0; member < layout.members; ++member) {
            if (member != static_cast<std::uint64_t>(self_)) {
                copy_bytes(segment_->chunk(self_, c) + member * layout.piece_room,
                           collective.data.data() + member * call.bytes + piece.begin,
                           piece.size);
            }
        }
    };
    const auto work = [&](std::uint64_t c) {
        const Slice piece = piece_of(call.bytes, layout.piece_room, c);
        const auto own = static_cast<std::uint64_t>(self_);
        for (int member = 0; member < size_; ++member) {
            inputs[static_cast<std::size_t>(member)] =
                member == self_ ? collective.data.data() + own * call.bytes + piece.begin
                                : segment_->chunk(member, c) + own * layout.piece_room;
        }
        combine(call.type,
                call.op,
                inputs,
                collective.result.data() + piece.begin,
                piece.size / collective.element_bytes());
    };
    pipeline(piece_count(call.bytes, layout.piece_room), put, work);
}

void SharedEngine::broadcast(const Collective& collective) {
    const Descriptor& call = collective.call;
    const std::uint64_t room = segment_->layout().chunk_room;
    const auto put = [&](std::uint64_t c) {
        if (self_ == call.root) {
            const Slice piece = piece_of(call.bytes, room, c);
            copy_bytes(
                segment_->chunk(self_, c), collective.result.data() + piece.begin, piece.size);
        }
    };
    const auto work = [&](std::uint64_t c) {
        if (self_ != call.root) {
            const Slice piece = piece_of(call.bytes, room, c);
            copy_bytes(
                collective.result.data() + piece.begin, segment_->chunk(call.root, c), piece.size);
        }
    };
    pipeline(piece_count(call.bytes, room), put, work);
}

void SharedEngine::all_gather(const Collective& collective) {
    const Descriptor& call = collective.call;
    const std::uint64_t room = segment_->layout().chunk_room;
    std::byte* const own =
        collective.result.data() + static_cast<std::uint64_t>(self_) * call.bytes;
    const auto put = [&](std::uint64_t c) {
        const Slice piece = piece_of(call.bytes, room, c);
        const std::byte* const from = collective.data.data() + piece.begin;
        copy_bytes(segment_->chunk(self_, c), from, piece.size);
        if (collective.data.data() != own) {
            copy_bytes(own + piece.begin, from, piece.size);
        }
    };
    const auto work = [&](std::uint64_t c) {
        const Slice piece = piece_of(call.bytes, room, c);
        for (int distance = 1; distance < size_; ++distance) {
            const int member = (self_ + distance) % size_;
            copy_bytes(collective.result.data() + static_cast<std::uint64_t>(member) * call.bytes +
                           piece.begin,
                       segment_->chunk(member, c),
                       piece.size);
        }
    };
    pipeline(piece_count(call.bytes, room), put, work);
}

void SharedEngine::all_to_all(const Collective& collective) {
    const Descriptor& call = collective.call;
    const SegmentLayout& layout = segment_->layout();
    const auto own = static_cast<std::uint64_t>(self_);
    const auto put = [&](std::uint64_t c) {
        const Slice piece = piece_of(call.bytes, layout.piece_room, c);
        for (std::uint64_t member = 0; member < layout.members; ++member) {
            std::byte* const to = member == own
                                      ? collective.result.data() + own * call.bytes + piece.begin
                                      : segment_->chunk(self_, c) + member * layout.piece_room;
            copy_bytes(to, collective.data.data() + member * call.bytes + piece.begin, piece.size);
        }
    };
    const auto work = [&](std::uint64_t c) {
        const Slice piece = piece_of(call.bytes, layout.piece_room, c);
        for (int distance = 1; distance < size_; ++distance) {
            const int member = (self_ + distance) % size_;
            copy_bytes(collective.result.data() + static_cast<std::uint64_t>(member) * call.bytes +
                           piece.begin,
                       segment_->chunk(member, c) + own * layout.piece_room,
                       piece.size);
        }
    };
    pipeline(piece_count(call.bytes, layout.piece_room), put, work);
}

std::vector<Buffer> SharedEngine::gather(const Descriptor& call, const Buffer& own) {
    ending_.check();
    const std::uint64_t own_size = own.size();
    meet(call, std::as_bytes(std::span(&own_size, 1)));
    const std::uint64_t room = segment_->layout().chunk_room;
    std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
    std::vector<std::shared_ptr<std::byte[]>> memory(sizes.size());
    for (std::size_t member = 0; member < sizes.size(); ++member) {
        std::memcpy(&sizes[member],
                    segment_->carried(static_cast<int>(member), call.sequence),
                    sizeof(std::uint64_t));
        if (self_ == 0 && member > 0 && sizes[member] > 0) {
            memory[member] = allocate_bytes(sizes[member]);
        }
    }
    const auto put = [&](std::uint64_t c) {
        const Slice piece = piece_of(own_size, room, c);
        if (self_ != 0) {
            copy_bytes(segment_->chunk(self_, c), own.bytes().data() + piece.begin, piece.size);
        }
    };
    const auto work = [&](std::uint64_t c) {
        for (std::size_t member = 1; member < sizes.size() && self_ == 0; ++member) {
            const Slice piece = piece_of(sizes[member], room, c);
            copy_bytes(memory[member].get() + piece.begin,
                       segment_->chunk(static_cast<int>(member), c),
                       piece.size);
        }
    };
    const std::uint64_t largest = *std::max_element(sizes.begin() + 1, sizes.end());
    if (largest > 0) {
        pipeline(piece_count(largest, room), put, work);
    }
    std::vector<Buffer> values;
    if (self_ == 0) {
        values.push_back(own);
        for (std::size_t member = 1; member < sizes.size(); ++member) {
            values.emplace_back(std::move(memory[member]), sizes[member]);
        }
    }
    return values;
}

} // namespace muster::gang
