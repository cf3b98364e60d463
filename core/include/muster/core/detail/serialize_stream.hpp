#pragma once

#include <muster/base/error.hpp>
#include <muster/base/memory.hpp>
#include <muster/core/buffer.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace muster {

static_assert(std::endian::native == std::endian::little,
              "muster: values travel as little-endian bytes, copied as they lie in memory");

namespace detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_malformed(const std::string& what) {
    throw Error("malformed bytes: " + what, ErrorCode::malformed);
}

[[noreturn, gnu::cold, gnu::noinline]] inline void
throw_truncated(std::size_t needed, std::size_t offset, std::size_t left) {
    throw_malformed("needs " + std::to_string(needed) + " more at offset " +
                    std::to_string(offset) + ", has " + std::to_string(left));
}

/// Containers inside containers; bounds the stack that bytes from elsewhere can make us use.
inline constexpr unsigned nesting_max = 1000;

} // namespace detail

/// Appends bytes to a growing buffer. Not thread-safe.
class Writer {
public:
    Writer() = default;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    Writer(Writer&& other) noexcept { swap(other); }

    Writer& operator=(Writer&& other) noexcept {
        Writer(std::move(other)).swap(*this);
        return *this;
    }

    ~Writer() = default;

    void write(const void* data, std::size_t size) {
        if (size > capacity_ - size_) {
            grow(size);
        }
        if (size != 0) {
            std::memcpy(data_.get() + size_, data, size);
            size_ += size;
        }
    }

    static constexpr std::size_t count_bytes_max = 10;

    /// How many bytes write_count() writes for it.
    static constexpr std::size_t bytes_of_count(std::uint64_t count) {
        std::size_t bytes = 1;
        for (; count >= 0x80; count >>= 7) {
            ++bytes;
        }
        return bytes;
    }

    /// A number of bytes that depends on its value: 1 below 128, at most 10 (LEB128).
    void write_count(std::uint64_t count) {
        std::byte bytes[count_bytes_max];
        std::size_t size = 0;
        while (count >= 0x80) {
            bytes[size++] = static_cast<std::byte>(count | 0x80);
            count >>= 7;
        }
        bytes[size++] = static_cast<std::byte>(count);
        write(bytes, size);
    }

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] bool empty() const { return size_ == 0; }

    /// Valid until the next call that changes the writer.
    [[nodiscard]] std::span<const std::byte> bytes() const { return {data_.get(), size_}; }

    void reserve(std::size_t capacity) {
        if (capacity > capacity_) {
            reallocate(capacity);
        }
    }

    /// Memory for the first `capacity` bytes, in place of what it would allocate. The writer must
    /// be empty.
    void use(std::shared_ptr<std::byte[]> memory, std::size_t capacity) {
        data_ = std::move(memory);
        capacity_ = capacity;
        size_ = 0;
    }

    /// Forgets the bytes and keeps the memory.
    void clear() { size_ = 0; }

    /// Forgets all but the first `size` bytes, which must be there.
    void truncate(std::size_t size) { size_ = std::min(size, size_); }

    /// The bytes, without a copy; the writer is empty afterwards and has no memory.
    [[nodiscard]] Buffer take() {
        capacity_ = 0;
        return {std::exchange(data_, nullptr), std::exchange(size_, 0)};
    }

    /// Whatever the one who encodes wants muster_encode() to find; not owned.
    [[nodiscard]] void* context() const { return context_; }

    void set_context(void* context) { context_ = context; }

    /// Private to the codec: how deep the container now being encoded is nested.
    unsigned nesting = 0;

private:
    void swap(Writer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(context_, other.context_);
        std::swap(nesting, other.nesting);
    }

    [[gnu::cold, gnu::noinline]] void grow(std::size_t more) {
        // An eighth to spare, so that the few bytes after a large array do not double the memory;
        // pages never touched cost nothing.
        const std::size_t needed = size_ + more;
        reallocate(std::max(needed + needed / 8 + 64, 2 * capacity_));
    }

    void reallocate(std::size_t capacity) {
        auto data = allocate_bytes(capacity);
        if (size_ != 0) {
            std::memcpy(data.get(), data_.get(), size_);
        }
        data_ = std::move(data);
        capacity_ = capacity;
    }

    std::shared_ptr<std::byte[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    void* context_ = nullptr;
};

/// Takes bytes from the front of a span. Not thread-safe.
///
/// Every read is checked: bytes that are no encoding throw Error (ErrorCode::malformed), whatever
/// they are. After a throw the position is unspecified.
class Reader {
public:
    /// Borrows: the bytes must outlive the reader, but nothing decoded refers to them.
    explicit Reader(std::span<const std::byte> bytes)
        : bytes_(bytes), reservable_bytes_(most_reserved(bytes.size())) {}

    /// Shares: large Buffers inside the value refer to `bytes` and keep them alive, uncopied.
    explicit Reader(Buffer bytes)
        : bytes_(bytes.bytes()), owner_(std::move(bytes)),
          reservable_bytes_(most_reserved(bytes_.size())) {}

    void read(void* data, std::size_t size) {
        const auto bytes = take(size);
        if (size != 0) {
            std::memcpy(data, bytes.data(), size);
        }
    }

    /// The next `size` bytes, uncopied.
    std::span<const std::byte> take(std::size_t size) {
        if (size > remaining()) {
            detail::throw_truncated(size, offset_, remaining());
        }
        const auto bytes = bytes_.subspan(offset_, size);
        offset_ += size;
        return bytes;
    }

    /// As take(), shared with the buffer that the reader was made from, else a copy.
    Buffer take_buffer(std::size_t size) {
        const std::size_t offset = offset_;
        const auto bytes = take(size);
        // A small one is copied: a few bytes should not keep a whole message alive.
        constexpr std::size_t shared_bytes_min = 1024;
        return size >= shared_bytes_min && !owner_.empty() ? owner_.slice(offset, size)
                                                           : Buffer::copy_of(bytes);
    }

    std::uint64_t read_count() {
        std::uint64_t count = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = std::to_integer<std::uint64_t>(take(1)[0]);
            if (shift == 63 && byte > 1) {
                break;
            }
            count |= (byte & 0x7f) << shift;
            if (byte < 0x80) {
                return count;
            }
        }
        detail::throw_malformed("a count before offset " + std::to_string(offset_) +
                                " does not fit 64 bits");
    }

    /// A count of items of which each takes at least `bytes_each_min` (not 0) of what follows.
    std::size_t read_count_of(std::size_t bytes_each_min) {
        const std::uint64_t count = read_count();
        if (count > remaining() / bytes_each_min) {
            detail::throw_malformed("a count of " + std::to_string(count) + " before offset " +
                                    std::to_string(offset_) + " exceeds the " +
                                    std::to_string(remaining()) + " bytes that follow");
        }
        return static_cast<std::size_t>(count);
    }

    /// How many of `count` elements to make room for before they are read. All containers of a
    /// value share what its bytes justify, so that lying counts cost no more by being nested.
    std::size_t reserve_elements(std::size_t count, std::size_t element_bytes) {
        const std::size_t elements = std::min(count, reservable_bytes_ / element_bytes);
        reservable_bytes_ -= elements * element_bytes;
        return elements;
    }

    [[nodiscard]] std::size_t offset() const { return offset_; }

    [[nodiscard]] std::size_t remaining() const { return bytes_.size() - offset_; }

    /// What has not been read.
    [[nodiscard]] std::span<const std::byte> rest() const { return bytes_.subspan(offset_); }

    [[nodiscard]] bool at_end() const { return remaining() == 0; }

    /// Throws unless every byte has been read.
    void finish() const {
        if (!at_end()) {
            detail::throw_malformed(std::to_string(remaining()) +
                                    " bytes are left after the value, which ends at offset " +
                                    std::to_string(offset_));
        }
    }

    /// Whatever the one who decodes wants muster_decode() to find; not owned.
    [[nodiscard]] void* context() const { return context_; }

    void set_context(void* context) { context_ = context; }

    /// Private to the codec: how deep the container now being decoded is nested.
    unsigned nesting = 0;

private:
    /// Room made ahead of elements still to be read: a few times the bytes that may hold them.
    static std::size_t most_reserved(std::size_t bytes) {
        constexpr std::size_t spare_bytes = 4096;
        return 4 * bytes + spare_bytes;
    }

    std::span<const std::byte> bytes_;
    std::size_t offset_ = 0;
    Buffer owner_;
    void* context_ = nullptr;
    std::size_t reservable_bytes_;
};

} // namespace muster
