#pragma once

#include "gang/channel.hpp"
#include "gang/futex.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace muster::detail {

class CommunicatorState;

/// What a Request waits for.
class Operation {
public:
    Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    virtual ~Operation() = default;

    [[nodiscard]] virtual bool done() const = 0;

    /// Returns once it is done, whether well or not.
    virtual void await() = 0;

    /// Once done: @throws what it failed with.
    virtual void check() = 0;

    /// Nobody will wait for it, since the member is leaving with an exception: nor may it wait.
    virtual void give_up() = 0;
};

/// A collective that runs on the communicator's thread.
class QueuedOperation final : public Operation {
public:
    QueuedOperation(std::function<void()> work, std::function<void()> give_up)
        : work_(std::move(work)), give_up_(std::move(give_up)) {}

    /// On the communicator's thread.
    void run();

    [[nodiscard]] bool done() const override { return state_.load(std::memory_order_acquire) != 0; }

    void await() override;
    void check() override;

    void give_up() override { give_up_(); }

private:
    std::function<void()> work_;
    std::function<void()> give_up_;
    std::exception_ptr failure_; // Written before state_.
    std::atomic<std::uint32_t> state_{0};
};

/// A message sent or received.
class MessageOperation final : public Operation {
public:
    /// `awaited` names the message, of a receive.
    MessageOperation(std::shared_ptr<CommunicatorState> state,
                     std::shared_ptr<gang::Completion> completion,
                     std::optional<std::pair<int, gang::Tag>> awaited)
        : state_(std::move(state)), completion_(std::move(completion)), awaited_(awaited) {}

    [[nodiscard]] bool done() const override { return !completion_->pending(); }

    void await() override;
    void check() override;
    void give_up() override;

private:
    std::shared_ptr<CommunicatorState> state_;
    std::shared_ptr<gang::Completion> completion_;
    std::optional<std::pair<int, gang::Tag>> awaited_;
};

} // namespace muster::detail
