#pragma once

#include "gang/descriptor.hpp"

#include <muster/core/buffer.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace muster::gang {

/// One collective of one member: what to do, and where its data is.
struct Collective {
    Descriptor call;
    std::span<const std::byte> data; ///< Empty for what works in place: broadcast, all_reduce.
    std::span<std::byte> result;

    [[nodiscard]] std::uint64_t element_bytes() const { return size_of(call.type); }

    [[nodiscard]] std::uint64_t count() const { return call.bytes / element_bytes(); }

    /// What others need of this member: the data, also where it lies in the result.
    [[nodiscard]] std::span<const std::byte> contribution() const {
        return call.kind == Kind::broadcast || call.kind == Kind::all_reduce ? result : data;
    }
};

/// Finishes a collective of which every member's whole contribution is here: `blocks`, by member.
/// They may be in the collective's own memory if there is one member only.
void finish(const Collective& collective, std::span<const std::byte* const> blocks, int self);

/// What both ways to run collectives have in common.
///
/// Every collective begins with a meeting in which members compare their calls. It carries small
/// contributions as well, so that small collectives are nothing but a meeting. Those that passed it
/// need not be suspicious any more: all do the same.
///
/// Threads: one at a time; wake() from any.
class Engine {
public:
    Engine() = default;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    virtual ~Engine() = default;

    /// @throws Error (usage) on all members if the calls differ; why the gang has ended, if so.
    virtual void run(const Collective& collective) = 0;

    /// Everybody's value at member 0, nothing elsewhere. `call.bytes` is 0.
    virtual std::vector<Buffer> gather(const Descriptor& call, const Buffer& own) = 0;

    /// The gang has ended: who sleeps should look.
    virtual void wake() = 0;
};

} // namespace muster::gang
