#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace muster {

namespace detail {
class Client;
}

/// True once the run is about to end before its driver has: at SIGTERM, SIGUSR2 or Ctrl-C, or when
/// its time limit is near. No task starts any more then; what runs may finish. A driver that loops
/// may look, save and return:
///
///     while (!muster::stopping()) { ... }
///
/// Costs nothing. False outside a run.
[[nodiscard]] bool stopping() noexcept;

/// How long the run has left: until its time limit, or once it is ending, until the process is
/// ended as it is. Nothing if no limit is known, or outside a run.
[[nodiscard]] std::optional<std::chrono::nanoseconds> time_left() noexcept;

/// A function that is called when the run is about to end: from on_deadline(), as long as this
/// lives.
///
/// Its end waits for the function if that is running, so that what it refers to may go afterwards
/// (as std::stop_callback's does). Movable; an empty one does nothing.
class [[nodiscard]] DeadlineHook {
public:
    DeadlineHook() = default;
    DeadlineHook(DeadlineHook&& other) noexcept;
    DeadlineHook& operator=(DeadlineHook&& other) noexcept;
    ~DeadlineHook();

    /// Private to the library.
    DeadlineHook(std::weak_ptr<detail::Client> client, std::uint64_t id) noexcept
        : client_(std::move(client)), id_(id) {}

private:
    void remove() noexcept;

    std::weak_ptr<detail::Client> client_;
    std::uint64_t id_ = 0; ///< 0: empty.
};

/// Has `hook` called when the run is about to end at SIGTERM, SIGUSR2 or a time limit that is near:
/// the moment to save. Not at Ctrl-C, and not if the driver returns by itself.
///
///     const auto hook = muster::on_deadline([&] { save(model, "model.bin"); });
///
/// In the driver, in a task or in a call of an actor; it is called on the same rank, on a thread of
/// its own, one hook after another in the order in which they were given, while the driver and
/// tasks go on: what they share needs a lock. It may get futures and call actors; tasks that it
/// submits do not start. It has time_left() at most, and what it throws is printed. If the run is
/// about to end already, it is called at once.
///
/// @throws Error (usage) outside a run.
DeadlineHook on_deadline(std::function<void()> hook);

} // namespace muster
