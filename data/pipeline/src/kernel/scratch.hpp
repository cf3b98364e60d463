#pragma once

#include <memory>
#include <vector>

namespace muster::data::kernel {

/// Leaves elements that are not given a value as they are: each is written before it is read.
template <class T>
struct LeaveAsIs : std::allocator<T> {
    template <class U>
    struct rebind {
        using other = LeaveAsIs<U>;
    };

    template <class U>
    void construct(U* place) noexcept {
        ::new (static_cast<void*>(place)) U;
    }

    template <class U, class... Values>
    void construct(U* place, Values&&... values) {
        std::construct_at(place, std::forward<Values>(values)...);
    }
};

/// A vector whose resize() costs nothing but memory.
template <class T>
using Scratch = std::vector<T, LeaveAsIs<T>>;

} // namespace muster::data::kernel
