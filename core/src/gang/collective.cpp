#include "gang/collective.hpp"

#include <cstring>

namespace muster::gang {
namespace {

void copy_bytes(std::byte* to, const std::byte* from, std::uint64_t size) {
    if (to != from && size > 0) {
        std::memmove(to, from, size); // In a gang of one, parts may overlap.
    }
}

} // namespace

void finish(const Collective& collective, std::span<const std::byte* const> blocks, int self) {
    const Descriptor& call = collective.call;
    std::byte* const result = collective.result.data();
    const auto own = static_cast<std::uint64_t>(self);
    switch (call.kind) {
    case Kind::barrier:
    case Kind::returned:
        return;
    case Kind::broadcast:
        return copy_bytes(result, blocks[static_cast<std::size_t>(call.root)], call.bytes);
    case Kind::reduce:
        if (self != call.root) {
            return;
        }
        [[fallthrough]];
    case Kind::all_reduce:
        return combine(call.type, call.op, blocks, result, collective.count());
    case Kind::reduce_scatter: {
        std::vector<const std::byte*> parts;
        parts.reserve(blocks.size());
        for (const std::byte* block : blocks) {
            parts.push_back(block + own * call.bytes);
        }
        return combine(call.type, call.op, parts, result, collective.count());
    }
    case Kind::all_gather:
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            copy_bytes(result + i * call.bytes, blocks[i], call.bytes);
        }
        return;
    case Kind::all_to_all:
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            copy_bytes(result + i * call.bytes, blocks[i] + own * call.bytes, call.bytes);
        }
        return;
    }
}

} // namespace muster::gang
