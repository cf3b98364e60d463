#pragma once

#include "gang/channel.hpp"
#include "gang/futex.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>

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
};

/// A collective that runs on the communicator's thread.
class QueuedOperation final : public Operation {
public:
    explicit QueuedOperation(std::function<void()> work) : work_(std::move(work)) {}

    /// On the communicator's thread.
    void run();

    [[nodiscard]] bool done() const override { return state_.load(std::memory_order_acquire) != 0; }

    void await() override;
    void check() override;

private:
    std::function<void()> work_;
    std::exception_ptr failure_; // Written before state_.
    std::atomic<std::uint32_t> state_{0};
};

/// A message sent or received.
class MessageOperation final : public Operation {
public:
    MessageOperation(std::shared_ptr<CommunicatorState> state,
                     std::shared_ptr<gang::Completion> completion)
        : state_(std::move(state)), completion_(std::move(completion)) {}

    [[nodiscard]] bool done() const override { return !completion_->pending(); }

    void await() override;
    void check() override;

private:
    std::shared_ptr<CommunicatorState> state_;
    std::shared_ptr<gang::Completion> completion_;
};

} // namespace muster::detail
