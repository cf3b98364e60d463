#pragma once

#include "wire/actions.hpp"

#include <muster/core/detail/client.hpp>
#include <muster/core/detail/coroutine_run.hpp>
#include <muster/core/detail/future_block.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace muster::runtime {

/// A task, or a call of an actor, that is a coroutine: all that goes from one thread to another.
struct CoroutineTask {
    detail::CurrentTask current;
    std::optional<ObjectId> actor;   ///< Whose call it is.
    wire::ClassIndex task_class = 0; ///< Whose slot it holds, if it is no call.
    std::unique_ptr<detail::CoroutineCall> run;
    Duration busy{}; ///< Without the time it was suspended.
};

/// Calls `all_there` once it has been told of so many answers.
class AnswerCounter final : public detail::Watcher {
public:
    AnswerCounter(std::size_t answers, std::function<void()> all_there)
        : missing_(answers), all_there_(std::move(all_there)) {}

    void notify(std::size_t /*index*/) override {
        if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            all_there_();
        }
    }

private:
    std::atomic<std::size_t> missing_;
    std::function<void()> all_there_;
};

} // namespace muster::runtime
