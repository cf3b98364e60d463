#pragma once

#include <muster/base/memory.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace muster {

/// Bytes that nobody changes any more, shared by reference: an encoded value, an object's payload.
/// Copying a Buffer copies a pointer. Safe to share between threads.
class Buffer {
public:
    Buffer() = default;

    /// Takes shared ownership of `size` bytes at `data`; the caller must not change them any more.
    Buffer(std::shared_ptr<const std::byte[]> data, std::size_t size)
        : data_(std::move(data)), size_(size) {}

    static Buffer copy_of(std::span<const std::byte> bytes) {
        if (bytes.empty()) {
            return {};
        }
        auto data = allocate_bytes(bytes.size());
        std::memcpy(data.get(), bytes.data(), bytes.size());
        return {std::move(data), bytes.size()};
    }

    /// `size` bytes from `offset` on, sharing the memory; they must lie within this buffer.
    [[nodiscard]] Buffer slice(std::size_t offset, std::size_t size) const {
        return {std::shared_ptr<const std::byte[]>(data_, data_.get() + offset), size};
    }

    [[nodiscard]] std::span<const std::byte> bytes() const { return {data_.get(), size_}; }

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] bool empty() const { return size_ == 0; }

    /// Expires when the memory is given back.
    [[nodiscard]] std::weak_ptr<const std::byte[]> lifetime() const { return data_; }

    friend bool operator==(const Buffer& a, const Buffer& b) {
        return a.size_ == b.size_ &&
               (a.size_ == 0 || std::memcmp(a.data_.get(), b.data_.get(), a.size_) == 0);
    }

private:
    std::shared_ptr<const std::byte[]> data_;
    std::size_t size_ = 0;
};

} // namespace muster
