#include "block_cache.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/base/random.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace muster::data {
namespace {

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t no_key = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t page = 4096;
constexpr std::size_t pin_words = BlockCache::members_max / 64;

/// How long a waiter sleeps at most before it looks whether the one it waits for lives.
constexpr long wait_ns_max = 20'000'000;

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
    return (bytes + page - 1) / page * page;
}

} // namespace

/// Everything in the segment is plain memory under `mutex`, but for what is waited on.
struct BlockCache::Header {
    std::uint64_t nonce = 0;
    std::uint64_t uses = 0;
    std::uint64_t slot_bytes = 0;
    std::uint32_t slot_count = 0;
    std::atomic<std::uint32_t> generation{0};
    std::atomic<std::uint32_t> waiters{0};
    std::array<std::int32_t, members_max> processes{}; ///< 0: no such member yet.
    pthread_mutex_t mutex;
};

struct BlockCache::Slot {
    std::uint64_t key = no_key;
    std::uint64_t last_use = 0;
    std::array<std::uint64_t, pin_words> pins{}; ///< Bit m: pinned by member m.
    std::uint32_t next = none;                   ///< In its bucket.
    std::uint32_t filler = none;                 ///< Member that fills it; none: it is ready.

    [[nodiscard]] bool is_pinned() const {
        return std::any_of(pins.begin(), pins.end(), [](std::uint64_t word) { return word != 0; });
    }
};

/// A holder that died left the table between two steps; slots say all that matters, so the index is
/// made again from them.
class BlockCache::Lock {
public:
    explicit Lock(BlockCache& cache) : cache_(cache) {
        const int result = pthread_mutex_lock(&cache_.header_->mutex);
        if (result == EOWNERDEAD) {
            cache_.rebuild_index();
            pthread_mutex_consistent(&cache_.header_->mutex);
        } else {
            MUSTER_ASSERT(result == 0);
        }
    }

    ~Lock() { pthread_mutex_unlock(&cache_.header_->mutex); }

    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    BlockCache& cache_;
};

BlockCache::BlockCache(std::uint64_t slot_bytes, std::uint64_t bytes_max, std::uint32_t member)
    : slot_bytes_(whole_pages(std::max<std::uint64_t>(slot_bytes, 1))),
      slot_count_(static_cast<std::uint32_t>(
          std::clamp<std::uint64_t>(bytes_max / slot_bytes_, 1, std::uint64_t{1} << 24U))),
      bucket_count_(slot_count_ * 2 + 1), member_(member), own_pins_(slot_count_, 0) {
    memory_bytes_ = whole_pages(sizeof(Header)) + whole_pages(slot_count_ * sizeof(Slot)) +
                    whole_pages(bucket_count_ * sizeof(std::uint32_t)) + slot_count_ * slot_bytes_;
}

void BlockCache::lay_out(void* memory) {
    auto* at = static_cast<std::byte*>(memory);
    header_ = reinterpret_cast<Header*>(at);
    at += whole_pages(sizeof(Header));
    slots_ = reinterpret_cast<Slot*>(at);
    at += whole_pages(slot_count_ * sizeof(Slot));
    buckets_ = reinterpret_cast<std::uint32_t*>(at);
    data_ = at + whole_pages(bucket_count_ * sizeof(std::uint32_t));
}

void BlockCache::initialise(bool shared, std::uint64_t nonce) {
    new (header_) Header;
    header_->slot_bytes = slot_bytes_;
    header_->slot_count = slot_count_;
    header_->processes[member_] = static_cast<std::int32_t>(::getpid());
    for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
        new (&slots_[slot]) Slot;
    }
    std::fill_n(buckets_, bucket_count_, none);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (shared) {
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    }
    const int result = pthread_mutex_init(&header_->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    MUSTER_ASSERT(result == 0);
    header_->nonce = nonce; // last: who opens it sees the rest
}

std::shared_ptr<BlockCache> BlockCache::make_private(std::uint64_t slot_bytes,
                                                     std::uint64_t bytes_max) {
    std::shared_ptr<BlockCache> cache(new BlockCache(slot_bytes, bytes_max, 0));
    void* const memory = ::mmap(nullptr,
                                cache->memory_bytes_,
                                PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                                -1,
                                0);
    if (memory == MAP_FAILED) {
        throw Error(fmt::format("cannot reserve {} bytes for decoded chunks: {}; lower "
                                "memory_bytes_max",
                                cache->memory_bytes_,
                                std::strerror(errno)),
                    ErrorCode::out_of_memory);
    }
    // Fewer faults while it is touched for the first time; where the system has none, nothing is
    // lost.
    ::madvise(memory, cache->memory_bytes_, MADV_HUGEPAGE);
    cache->lay_out(memory);
    cache->initialise(false, 0);
    return cache;
}

std::shared_ptr<BlockCache>
BlockCache::make_shared(std::uint64_t slot_bytes, std::uint64_t bytes_max, std::uint64_t nonce) {
    std::shared_ptr<BlockCache> cache(new BlockCache(slot_bytes, bytes_max, 0));
    const auto refuse = [&](int error) {
        throw Error(fmt::format("cannot reserve {} bytes of shared memory for decoded chunks: {}; "
                                "lower memory_bytes_max",
                                cache->memory_bytes_,
                                std::strerror(error)),
                    ErrorCode::out_of_memory);
    };
    cache->descriptor_ = ::memfd_create("muster-chunks", MFD_CLOEXEC);
    if (cache->descriptor_ < 0) {
        refuse(errno);
    }
    // Reserved now: memory that is missing at the first write is a signal instead of an error.
    const int refusal =
        ::posix_fallocate(cache->descriptor_, 0, static_cast<off_t>(cache->memory_bytes_));
    if (refusal != 0) {
        refuse(refusal);
    }
    void* const memory = ::mmap(
        nullptr, cache->memory_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, cache->descriptor_, 0);
    if (memory == MAP_FAILED) {
        refuse(errno);
    }
    cache->lay_out(memory);
    cache->initialise(true, nonce);
    return cache;
}

std::shared_ptr<BlockCache> BlockCache::open_shared(const CachePlace& place,
                                                    std::uint64_t slot_bytes,
                                                    std::uint64_t bytes_max,
                                                    std::uint32_t member) {
    MUSTER_ASSERT(member < members_max);
    std::shared_ptr<BlockCache> cache(new BlockCache(slot_bytes, bytes_max, member));
    const std::string path = fmt::format("/proc/{}/fd/{}", place.process, place.descriptor);
    const auto refuse = [&](std::string_view why) {
        throw Error(fmt::format("cannot open the chunks shared by process {}: {}; is it of the "
                                "same user, and alive?",
                                place.process,
                                why));
    };
    cache->descriptor_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);

    struct stat status {};

    if (cache->descriptor_ < 0 || ::fstat(cache->descriptor_, &status) != 0) {
        refuse(std::strerror(errno));
    }
    if (static_cast<std::uint64_t>(status.st_size) != cache->memory_bytes_) {
        refuse("it has another size");
    }
    void* const memory = ::mmap(
        nullptr, cache->memory_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, cache->descriptor_, 0);
    if (memory == MAP_FAILED) {
        refuse(std::strerror(errno));
    }
    cache->lay_out(memory);
    if (cache->header_->nonce != place.nonce || cache->header_->slot_bytes != cache->slot_bytes_ ||
        cache->header_->slot_count != cache->slot_count_) {
        refuse("it is another one");
    }
    const Lock lock(*cache);
    cache->header_->processes[member] = static_cast<std::int32_t>(::getpid());
    return cache;
}

BlockCache::~BlockCache() {
    if (header_ != nullptr) {
        ::munmap(header_, memory_bytes_);
    }
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

CachePlace BlockCache::place() const {
    return {static_cast<std::int32_t>(::getpid()), descriptor_, header_->nonce};
}

std::uint32_t BlockCache::find(std::uint64_t key) const {
    std::uint32_t slot = buckets_[mix64(key) % bucket_count_];
    while (slot != none && slots_[slot].key != key) {
        slot = slots_[slot].next;
    }
    return slot;
}

void BlockCache::index(std::uint32_t slot) {
    std::uint32_t& bucket = buckets_[mix64(slots_[slot].key) % bucket_count_];
    slots_[slot].next = bucket;
    bucket = slot;
}

void BlockCache::unindex(std::uint32_t slot) {
    std::uint32_t* link = &buckets_[mix64(slots_[slot].key) % bucket_count_];
    while (*link != slot) {
        link = &slots_[*link].next;
    }
    *link = slots_[slot].next;
    slots_[slot].key = no_key;
}

void BlockCache::rebuild_index() {
    std::fill_n(buckets_, bucket_count_, none);
    for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
        if (slots_[slot].key == no_key) {
            continue;
        }
        if (find(slots_[slot].key) != none) {
            slots_[slot].key = no_key;
            continue;
        }
        index(slot);
    }
}

bool BlockCache::is_alive(std::uint32_t member) const {
    const std::int32_t process = header_->processes[member];
    return process != 0 && (::kill(process, 0) == 0 || errno == EPERM);
}

void BlockCache::forget_the_dead() {
    for (std::uint32_t member = 0; member < members_max; ++member) {
        if (header_->processes[member] == 0 || member == member_ || is_alive(member)) {
            continue;
        }
        header_->processes[member] = 0;
        for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
            slots_[slot].pins[member / 64] &= ~(std::uint64_t{1} << (member % 64));
            if (slots_[slot].filler == member) {
                slots_[slot].filler = none;
                if (slots_[slot].key != no_key) {
                    unindex(slot);
                }
            }
        }
    }
}

std::uint32_t BlockCache::victim() {
    std::uint32_t oldest = none;
    for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
        if (slots_[slot].is_pinned()) {
            continue;
        }
        if (slots_[slot].key == no_key) {
            return slot;
        }
        if (oldest == none || slots_[slot].last_use < slots_[oldest].last_use) {
            oldest = slot;
        }
    }
    return oldest;
}

void BlockCache::pin(std::uint32_t slot) {
    if (own_pins_[slot]++ == 0) {
        slots_[slot].pins[member_ / 64] |= std::uint64_t{1} << (member_ % 64);
    }
}

void BlockCache::unpin(std::uint32_t slot) {
    if (--own_pins_[slot] == 0) {
        slots_[slot].pins[member_ / 64] &= ~(std::uint64_t{1} << (member_ % 64));
    }
}

BlockCache::Answer BlockCache::acquire(std::uint64_t key) {
    MUSTER_ASSERT(key != no_key);
    const Lock lock(*this);
    Answer answer;
    answer.generation = header_->generation.load(std::memory_order_relaxed);
    std::uint32_t slot = find(key);
    if (slot != none && slots_[slot].filler != none) {
        if (slots_[slot].filler == member_ || is_alive(slots_[slot].filler)) {
            answer.state = State::busy;
            return answer;
        }
        forget_the_dead();
        slot = find(key);
    }
    if (slot == none) {
        slot = victim();
        if (slot == none) {
            forget_the_dead();
            slot = victim();
        }
        if (slot == none) {
            return answer;
        }
        if (slots_[slot].key != no_key) {
            unindex(slot);
        }
        slots_[slot].filler = member_;
        slots_[slot].key = key;
        index(slot);
        answer.state = State::claimed;
    } else {
        answer.state = State::ready;
    }
    slots_[slot].last_use = ++header_->uses;
    pin(slot);
    answer.pin = Pin(shared_from_this(), slot, answer.state == State::claimed);
    return answer;
}

BlockCache::Answer BlockCache::acquire_ready(std::uint64_t key) {
    const Lock lock(*this);
    Answer answer;
    const std::uint32_t slot = find(key);
    if (slot != none && slots_[slot].filler == none) {
        slots_[slot].last_use = ++header_->uses;
        pin(slot);
        answer.state = State::ready;
        answer.pin = Pin(shared_from_this(), slot, false);
    }
    return answer;
}

void BlockCache::finish(std::uint32_t slot, bool is_published, bool is_claimed) {
    {
        const Lock lock(*this);
        if (is_published) {
            slots_[slot].filler = none;
        } else {
            if (is_claimed) {
                slots_[slot].filler = none;
                unindex(slot);
            }
            unpin(slot);
        }
    }
    if (!is_published && !is_claimed) {
        return;
    }
    header_->generation.fetch_add(1);
    if (header_->waiters.load() != 0) {
        ::syscall(SYS_futex, &header_->generation, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
}

void BlockCache::wait(std::uint32_t generation) {
    header_->waiters.fetch_add(1);
    const timespec limit{0, wait_ns_max};
    ::syscall(SYS_futex, &header_->generation, FUTEX_WAIT, generation, &limit, nullptr, 0);
    header_->waiters.fetch_sub(1);
}

BlockCache::Pin::Pin(Pin&& other) noexcept
    : cache_(std::move(other.cache_)), slot_(other.slot_), is_claimed_(other.is_claimed_) {
}

BlockCache::Pin& BlockCache::Pin::operator=(Pin&& other) noexcept {
    if (this != &other) {
        release();
        cache_ = std::move(other.cache_);
        slot_ = other.slot_;
        is_claimed_ = other.is_claimed_;
    }
    return *this;
}

BlockCache::Pin::~Pin() {
    release();
}

void BlockCache::Pin::release() noexcept {
    if (cache_) {
        cache_->finish(slot_, false, is_claimed_);
        cache_ = nullptr;
    }
}

std::span<std::byte> BlockCache::Pin::bytes() const {
    return {cache_->data_ + slot_ * cache_->slot_bytes_, cache_->slot_bytes_};
}

void BlockCache::Pin::publish() {
    MUSTER_ASSERT(is_claimed_);
    is_claimed_ = false;
    cache_->finish(slot_, true, true);
}

} // namespace muster::data
