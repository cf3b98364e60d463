#pragma once

#include "journal/segment.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::journal {

/// Where a recorded result lies.
struct Location {
    JobNumber segment = 0;    ///< 0: nowhere.
    std::uint64_t offset = 0; ///< Of the record's header.
    std::uint32_t value_bytes = 0;
    std::uint64_t shape = 0; ///< The hash of its type's shape.
};

/// What is known of one key.
struct KeyEntry {
    KeyDigest key;
    Location recorded{};
    BatchNumber claimed = 0;  ///< The latest batch with it.
    BatchNumber released = 0; ///< Claims up to this batch are void.
    std::uint32_t wanted = 0; ///< Private to the ledger: 1 + where it keeps what this run wants.
};

/// Entries by key. Entries are never removed, and are named by their position, which stays.
///
/// Open addressing with linear probing over positions: digests are random bits, so no hash is
/// needed, and a million entries are found through 8 MiB that hold nothing else.
class KeyTable {
public:
    using Position = std::uint32_t;

    /// Finds the key's entry, or makes one. @throws Error with more than 2^31 keys.
    Position insert(const KeyDigest& key);

    [[nodiscard]] const KeyEntry* find(const KeyDigest& key) const;

    [[nodiscard]] KeyEntry& at(Position position) { return entries_[position]; }

    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    /// The slot that has the key, or the empty one where it belongs.
    [[nodiscard]] std::size_t slot_of(const KeyDigest& key) const;
    void grow();

    std::vector<KeyEntry> entries_;
    std::vector<std::uint32_t> slots_; ///< 1 + a position; 0: empty. A power of two of them.
};

} // namespace muster::journal
