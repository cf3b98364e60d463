#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace muster {

/// A queue in one piece of memory, which it keeps as it grows and shrinks.
///
/// For elements that one thread pushes and another pops: a std::deque's blocks are made by the one
/// and freed by the other, and with glibc's allocator both then contend for the lock of the
/// first one's arena. Amortised constant time at both ends; linear in the middle.
template <class T>
class FlatQueue {
public:
    using iterator = typename std::vector<T>::iterator;

    [[nodiscard]] bool empty() const { return first_ == items_.size(); }

    [[nodiscard]] std::size_t size() const { return items_.size() - first_; }

    /// Elements that its memory has room for.
    [[nodiscard]] std::size_t capacity() const { return items_.capacity(); }

    [[nodiscard]] T& front() { return items_[first_]; }

    [[nodiscard]] T& back() { return items_.back(); }

    [[nodiscard]] iterator begin() { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }

    [[nodiscard]] iterator end() { return items_.end(); }

    void push_back(T item) {
        if (items_.size() == items_.capacity() && first_ > items_.size() / 2) {
            items_.erase(items_.begin(), begin()); // the places of half of them or more
            first_ = 0;
        }
        items_.push_back(std::move(item));
    }

    /// Takes out the first.
    [[nodiscard]] T pop_front() {
        T item = std::move(items_[first_++]);
        forget_if_empty();
        return item;
    }

    void pop_back() {
        items_.pop_back();
        forget_if_empty();
    }

    void erase(iterator place) {
        items_.erase(place);
        forget_if_empty();
    }

private:
    void forget_if_empty() {
        if (empty()) {
            items_.clear();
            first_ = 0;
        }
    }

    std::vector<T> items_; ///< From first_ on; those before have been taken out.
    std::size_t first_ = 0;
};

} // namespace muster
