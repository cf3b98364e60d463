#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace muster::detail {

/// What a journal knows a keyed task by: 128 bits, so that among a billion keys the odds of two
/// alike are below 1e-20. Not against an adversary.
struct KeyDigest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    friend auto operator<=>(const KeyDigest&, const KeyDigest&) = default;
};

/// Of `bytes` after whatever `before` is the digest of. The same on every machine and in every
/// version: what outlives the process depends on it.
///
/// Source: Appleby, MurmurHash3_x64_128 (public domain), started with 128 bits instead of 32.
[[nodiscard]] KeyDigest digest(std::span<const std::byte> bytes, const KeyDigest& before = {});

[[nodiscard]] inline KeyDigest digest(std::string_view text, const KeyDigest& before = {}) {
    return digest(std::as_bytes(std::span(text)), before);
}

/// Whether an encoded value contains futures or handles of actors: they are encoded with their
/// run's number, 64 random bits, and mean nothing in another run.
[[nodiscard]] bool names_objects(std::span<const std::byte> value, std::uint64_t run_id);

} // namespace muster::detail
