#pragma once

#include "gang/collective.hpp"
#include "gang/ending.hpp"
#include "gang/operation.hpp"
#include "gang/setup.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace muster::detail {

/// Behind one member's Communicator: its way to run collectives, and their order.
///
/// Collectives run one after another, in the order of the calls: on the caller's thread if nothing
/// is under way, else on a thread of its own, which the first asynchronous one starts. Messages
/// between members do not queue.
///
/// Threads: one of the member's at a time, except abort(), which is for any that keeps the state
/// alive meanwhile.
class CommunicatorState : public std::enable_shared_from_this<CommunicatorState> {
public:
    explicit CommunicatorState(gang::Setup setup);
    CommunicatorState(const CommunicatorState&) = delete;
    CommunicatorState& operator=(const CommunicatorState&) = delete;
    ~CommunicatorState();

    [[nodiscard]] int self() const { return setup_.self; }

    [[nodiscard]] int size() const { return static_cast<int>(setup_.members.size()); }

    [[nodiscard]] const gang::Member& member(int member) const;

    /// Nothing more will come of the gang: every operation under way, and every later one, throws
    /// Error (aborted) with `why`. The first reason stays. Any thread; does not block.
    void abort(std::string why);

    /// This member leaves with an exception: what it has begun is not waited for.
    void give_up();

    /// Sets the call's sequence number, and checks what one member can know to be wrong.
    /// @throws UsageError; whatever the collective fails with
    void run(gang::Collective collective);
    std::shared_ptr<Operation> start(gang::Collective collective);
    std::vector<Buffer> gather(Buffer own);
    /// See Setup; @throws UsageError if the gang did not ask for it.
    const void* raw_communicator();

    std::shared_ptr<Operation> send(std::span<const std::byte> data, int to, int tag);
    std::shared_ptr<Operation> receive(std::span<std::byte> into, int from, int tag);

    /// Of a message operation: as gang::await, and not throwing. `awaited` names the message of a
    /// receive: if it does not come for a while, its sender's rank is asked.
    void await(const gang::Completion& completion,
               const std::optional<std::pair<int, gang::Tag>>& awaited);
    void check(const gang::Completion& completion);

private:
    void validate(const gang::Collective& collective) const;
    void
    validate_message(const char* what, const void* data, std::size_t size, int peer, int tag) const;
    void perform(const std::function<void(gang::Engine&)>& work);
    void run_in_order(std::function<void(gang::Engine&)> work);
    std::shared_ptr<QueuedOperation> enqueue(std::function<void(gang::Engine&)> work);
    void serve();
    gang::Engine& engine();
    std::unique_ptr<gang::Engine> make_engine();
    void wake();

    const gang::Setup setup_;
    gang::Ending ending_;
    std::uint64_t sequence_ = 0;

    std::mutex engine_mutex_; // Guards the pointer, for wake(); who runs collectives may use it.
    std::unique_ptr<gang::Engine> engine_;

    std::mutex queue_mutex_; // Guards the next four.
    std::condition_variable queue_changed_;
    std::deque<std::shared_ptr<QueuedOperation>> queue_;
    std::size_t unfinished_ = 0; // Queued or running.
    bool closing_ = false;
    std::thread thread_;

    std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

} // namespace muster::detail
