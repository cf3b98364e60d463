#include "gang/descriptor.hpp"

#include <fmt/format.h>

namespace muster::gang {
namespace {

std::string describe(const Descriptor& call) {
    if (call.kind == Kind::returned) {
        return "has returned";
    }
    std::string text = fmt::format("called {}", name_of(call.kind));
    if (call.kind == Kind::reduce || call.kind == Kind::all_reduce ||
        call.kind == Kind::reduce_scatter) {
        text += fmt::format(" ({})", name_of(call.op));
    }
    if (call.kind != Kind::barrier) {
        text += fmt::format(" of {} {}", call.bytes / size_of(call.type), name_of(call.type));
    }
    if (call.kind == Kind::broadcast || call.kind == Kind::reduce) {
        text += fmt::format(" with root {}", call.root);
    }
    return text + fmt::format(" at collective {}", call.sequence);
}

} // namespace

const char* name_of(Kind kind) {
    switch (kind) {
    case Kind::barrier:
        return "barrier";
    case Kind::broadcast:
        return "broadcast";
    case Kind::reduce:
        return "reduce";
    case Kind::all_reduce:
        return "all_reduce";
    case Kind::reduce_scatter:
        return "reduce_scatter";
    case Kind::all_gather:
        return "all_gather";
    case Kind::all_to_all:
        return "all_to_all";
    case Kind::returned:
        return "the end";
    }
    return "unknown";
}

std::string describe(int member, std::span<const Member> members) {
    return fmt::format(
        "member {} (rank {})", member, index(members[static_cast<std::size_t>(member)].rank));
}

std::string describe(const Mismatch& mismatch, std::span<const Member> members) {
    return fmt::format("the calls of a gang do not match: {} {}, {} {}; members must call the same "
                       "collectives, with the same sizes and types, in the same order",
                       describe(mismatch.first, members),
                       describe(mismatch.first_call),
                       describe(mismatch.second, members),
                       describe(mismatch.second_call));
}

} // namespace muster::gang
