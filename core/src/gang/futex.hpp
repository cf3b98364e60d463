#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <type_traits>

/// Sleeping on a word in memory, which threads and processes may share (futex(2)).
namespace muster::gang::futex {

/// Sleeps while the word is `value`; until wake(), at most so long. May return early.
void sleep_word(const void* word, std::uint32_t value, std::chrono::milliseconds at_most);

/// Wakes all who sleep on the word.
void wake_word(const void* word);

template <class T>
void sleep(const std::atomic<T>& word,
           std::type_identity_t<T> value,
           std::chrono::milliseconds at_most) {
    static_assert(sizeof(std::atomic<T>) == sizeof(std::uint32_t));
    sleep_word(&word, static_cast<std::uint32_t>(value), at_most);
}

template <class T>
void wake(const std::atomic<T>& word) {
    wake_word(&word);
}

} // namespace muster::gang::futex
