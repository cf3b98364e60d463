#include <muster/core/detail/key_digest.hpp>

#include <bit>
#include <cstring>

namespace muster::detail {
namespace {

constexpr std::uint64_t c1 = 0x87c37b91114253d5ULL;
constexpr std::uint64_t c2 = 0x4cf5ad432745937fULL;

std::uint64_t scramble_first(std::uint64_t k) {
    return std::rotl(k * c1, 31) * c2;
}

std::uint64_t scramble_second(std::uint64_t k) {
    return std::rotl(k * c2, 33) * c1;
}

std::uint64_t finish(std::uint64_t k) {
    k = (k ^ (k >> 33)) * 0xff51afd7ed558ccdULL;
    k = (k ^ (k >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return k ^ (k >> 33);
}

} // namespace

KeyDigest digest(std::span<const std::byte> bytes, const KeyDigest& before) {
    std::uint64_t h1 = before.high;
    std::uint64_t h2 = before.low;
    const std::uint64_t size = bytes.size();
    for (; bytes.size() >= 16; bytes = bytes.subspan(16)) {
        std::uint64_t k[2];
        std::memcpy(k, bytes.data(), sizeof k);
        h1 = (std::rotl(h1 ^ scramble_first(k[0]), 27) + h2) * 5 + 0x52dce729;
        h2 = (std::rotl(h2 ^ scramble_second(k[1]), 31) + h1) * 5 + 0x38495ab5;
    }
    if (!bytes.empty()) {
        std::uint64_t k[2] = {0, 0};
        std::memcpy(k, bytes.data(), bytes.size());
        h2 ^= bytes.size() > 8 ? scramble_second(k[1]) : 0;
        h1 ^= scramble_first(k[0]);
    }
    h1 ^= size;
    h2 ^= size;
    h1 += h2;
    h2 += h1;
    h1 = finish(h1);
    h2 = finish(h2);
    h1 += h2;
    h2 += h1;
    return {h1, h2};
}

bool names_objects(std::span<const std::byte> value, std::uint64_t run_id) {
    return ::memmem(value.data(), value.size(), &run_id, sizeof run_id) != nullptr;
}

} // namespace muster::detail
