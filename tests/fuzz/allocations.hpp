#pragma once

#include <cstddef>

namespace muster::fuzz {

/// Watches what a piece of code allocates with operator new, on this thread, while it lives.
class Allocations {
public:
    Allocations();
    Allocations(const Allocations&) = delete;
    Allocations& operator=(const Allocations&) = delete;
    ~Allocations();

    /// The most bytes that were allocated and not freed at one moment.
    [[nodiscard]] std::size_t peak_bytes() const;

    /// Aborts, with a sentence, if the peak is above `factor` times the input's size and a little.
    void expect_at_most(std::size_t factor, std::size_t input_bytes) const;
};

} // namespace muster::fuzz
