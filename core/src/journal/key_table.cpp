#include "journal/key_table.hpp"

#include <algorithm>

namespace muster::journal {

std::size_t KeyTable::slot_of(const KeyDigest& key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = static_cast<std::size_t>(key.low) & mask;
    while (slots_[slot] != 0 && entries_[slots_[slot] - 1].key != key) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

void KeyTable::grow() {
    slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), 0);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        std::size_t slot = static_cast<std::size_t>(entries_[i].key.low) & mask;
        while (slots_[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        slots_[slot] = static_cast<std::uint32_t>(i + 1);
    }
}

KeyTable::Position KeyTable::insert(const KeyDigest& key) {
    if (entries_.size() >= slots_.size() / 2) {
        if (entries_.size() >= std::size_t{1} << 31) {
            throw Error("a journal cannot have more than 2,147,483,648 keys");
        }
        grow();
    }
    const std::size_t slot = slot_of(key);
    if (slots_[slot] == 0) {
        entries_.push_back({key});
        slots_[slot] = static_cast<std::uint32_t>(entries_.size());
    }
    return slots_[slot] - 1;
}

const KeyEntry* KeyTable::find(const KeyDigest& key) const {
    if (slots_.empty()) {
        return nullptr;
    }
    const std::uint32_t found = slots_[slot_of(key)];
    return found == 0 ? nullptr : &entries_[found - 1];
}

} // namespace muster::journal
