#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::process {

/// Keeps the last `limit` bytes of a stream, in at most twice that memory.
class Tail {
public:
    explicit Tail(std::size_t limit) : limit_(limit) {}

    void append(std::string_view bytes);

    /// What is kept; the object is empty afterwards.
    std::string take();

    /// How many bytes came before what take() returns.
    [[nodiscard]] std::uint64_t dropped() const;

private:
    std::size_t limit_;
    std::string kept_;
    std::uint64_t seen_ = 0;
};

} // namespace muster::process
