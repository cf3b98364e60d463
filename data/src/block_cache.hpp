#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace muster::data {

/// Where another process of the node finds a cache that is shared.
struct CachePlace {
    std::int32_t process = 0;
    std::int32_t descriptor = -1;
    std::uint64_t nonce = 0; ///< Of the segment: another one under the same numbers is not it.
};

/// Blocks of decoded rows in slots of equal size, each filled once by whoever needs it first. Its
/// memory belongs to this process, or is shared with others of the node. Calls from any thread.
///
/// A block is pinned while it is filled or read; of those that are not, the one that was used the
/// longest ago makes room. A process that dies leaves its pins and what it was filling behind:
/// others take them over when they are in want of them.
class BlockCache : public std::enable_shared_from_this<BlockCache> {
public:
    static constexpr std::size_t members_max = 256;

    enum class State {
        ready,   ///< The pin's bytes are the block.
        claimed, ///< The caller fills the pin's bytes and calls publish().
        busy,    ///< Somebody else fills it: wait() and ask again.
        full,    ///< No slot is free: do without.
    };

    /// Keeps a block in place. One that was claimed and not published is free again.
    class Pin {
    public:
        Pin() = default;
        Pin(Pin&& other) noexcept;
        Pin& operator=(Pin&& other) noexcept;
        ~Pin();

        /// The slot, of which a block may use less than all.
        [[nodiscard]] std::span<std::byte> bytes() const;

        /// A claimed block has its bytes; from now on others read them.
        void publish();

    private:
        friend class BlockCache;

        Pin(std::shared_ptr<BlockCache> cache, std::uint32_t slot, bool is_claimed)
            : cache_(std::move(cache)), slot_(slot), is_claimed_(is_claimed) {}

        void release() noexcept;

        std::shared_ptr<BlockCache> cache_;
        std::uint32_t slot_ = 0;
        bool is_claimed_ = false;
    };

    struct Answer {
        State state = State::full;
        Pin pin;
        std::uint32_t generation = 0; ///< For wait().
    };

    /// Memory of this process, taken as it is used.
    /// @param bytes_max  Of all slots together; there is one at least.
    static std::shared_ptr<BlockCache> make_private(std::uint64_t slot_bytes,
                                                    std::uint64_t bytes_max);

    /// Memory that other processes can open, reserved at once; the caller is member 0.
    /// Throws Error where the system refuses it.
    static std::shared_ptr<BlockCache>
    make_shared(std::uint64_t slot_bytes, std::uint64_t bytes_max, std::uint64_t nonce);

    /// Opens one that another process of this user and node made with the same sizes.
    /// @param member  Of members_max, each used once.
    static std::shared_ptr<BlockCache> open_shared(const CachePlace& place,
                                                   std::uint64_t slot_bytes,
                                                   std::uint64_t bytes_max,
                                                   std::uint32_t member);

    ~BlockCache();
    BlockCache(const BlockCache&) = delete;
    BlockCache& operator=(const BlockCache&) = delete;

    /// Any key below 2^64 - 1.
    [[nodiscard]] Answer acquire(std::uint64_t key);

    /// The block if it is ready, else State::full.
    [[nodiscard]] Answer acquire_ready(std::uint64_t key);

    /// Until something was published or given up since `generation`, or a while has passed.
    void wait(std::uint32_t generation);

    [[nodiscard]] CachePlace place() const;

    [[nodiscard]] std::uint32_t slots() const { return slot_count_; }

private:
    struct Header;
    struct Slot;
    class Lock;

    BlockCache(std::uint64_t slot_bytes, std::uint64_t bytes_max, std::uint32_t member);

    void lay_out(void* memory);
    void initialise(bool shared, std::uint64_t nonce);
    void rebuild_index();
    [[nodiscard]] std::uint32_t find(std::uint64_t key) const;
    [[nodiscard]] std::uint32_t victim();
    void index(std::uint32_t slot);
    void unindex(std::uint32_t slot);
    void pin(std::uint32_t slot);
    void unpin(std::uint32_t slot);
    void finish(std::uint32_t slot, bool is_published, bool is_claimed);
    void forget_the_dead();
    [[nodiscard]] bool is_alive(std::uint32_t member) const;

    std::uint64_t slot_bytes_;
    std::uint32_t slot_count_;
    std::uint32_t bucket_count_;
    std::uint32_t member_;
    std::uint64_t memory_bytes_ = 0;
    int descriptor_ = -1;
    Header* header_ = nullptr;
    Slot* slots_ = nullptr;
    std::uint32_t* buckets_ = nullptr;
    std::byte* data_ = nullptr;
    std::vector<std::uint32_t> own_pins_; ///< Of each slot, by threads of this process.
};

} // namespace muster::data
