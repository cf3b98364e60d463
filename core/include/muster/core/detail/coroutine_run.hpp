#pragma once

#include <muster/core/buffer.hpp>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <utility>

/// How coroutines are run, by whatever thread has them. Private to the library.
namespace muster::detail {

class Watcher;

/// What a coroutine waits for. Lives in the frame that waits, until that goes on.
class Wait {
public:
    Wait() = default;
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    /// Of how many answers watch() tells, before the coroutine may go on.
    [[nodiscard]] virtual std::size_t answers() const = 0;

    /// Has `watcher` told of each answer, by any thread, and at once if it is there.
    virtual void watch(const std::shared_ptr<Watcher>& watcher) = 0;

protected:
    ~Wait() = default;
};

/// A coroutine, and those that it awaits, as one thread after another runs them.
///
/// A coroutine that awaits another, or is done, says here which frame comes next, and returns to
/// resume(). So the stack does not grow, whatever the compiler makes of tail calls, which symmetric
/// transfer would rely on: g++ 12 makes none below -O2.
///
/// Threads: one at a time.
class CoroutineRun {
public:
    CoroutineRun(const CoroutineRun&) = delete;
    CoroutineRun& operator=(const CoroutineRun&) = delete;

    /// Starts it, or goes on with it.
    /// @return what it waits for; it may go on once that is there, or to hear that it will not be.
    ///         Nothing once it is done.
    Wait* resume() {
        wait_ = nullptr;
        while (next_ && wait_ == nullptr) {
            std::exchange(next_, nullptr).resume();
        }
        return wait_;
    }

    // Called by the frame that runs, which then returns to resume().
    void continue_with(std::coroutine_handle<> next) noexcept { next_ = next; }

    void wait(std::coroutine_handle<> frame, Wait& wait) noexcept {
        next_ = frame;
        wait_ = &wait;
    }

protected:
    CoroutineRun() = default;
    ~CoroutineRun() = default;

private:
    std::coroutine_handle<> next_;
    Wait* wait_ = nullptr;
};

/// The coroutine of a task, or of a call of an actor.
class CoroutineCall : public CoroutineRun {
public:
    virtual ~CoroutineCall() = default;

    /// Encoded, of one that is done. Throws what it threw.
    virtual Buffer result() = 0;
};

} // namespace muster::detail
