#pragma once

#include "wire/messages.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace muster::sim {

using ContextId = std::uint64_t;

enum class SlotState : std::uint8_t { pending, kept_elsewhere, value, failed };

/// What a rank's futures know of one object, and who waits for it.
struct FutureSlot {
    SlotState state = SlotState::pending;
    std::uint32_t handles = 0;
    bool wanted = false; ///< Its bytes were asked for.
    Buffer value;
    std::vector<wire::FailureRecord> failure;
    std::vector<ContextId> waiters;

    [[nodiscard]] bool here() const {
        return state == SlotState::value || state == SlotState::failed;
    }
};

/// The futures of one submission, or one borrowed future: what the machines carry as `futures`.
struct FutureBlock {
    ObjectId first{};
    std::uint64_t stride = 1; ///< Ids between its objects.
    std::vector<FutureSlot> slots;
};

/// A virtual future: a block and a position in it. Counted by Executors::adopt() and release().
struct Handle {
    std::shared_ptr<FutureBlock> block;
    std::size_t index = 0;

    [[nodiscard]] explicit operator bool() const { return block != nullptr; }

    [[nodiscard]] ObjectId object() const { return advance(block->first, index * block->stride); }

    [[nodiscard]] FutureSlot& slot() const { return block->slots[index]; }
};

} // namespace muster::sim
