#pragma once

#include <muster/base/error.hpp>
#include <muster/base/ids.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster {

/// One reason in the chain of a failed task.
struct TaskFailure {
    std::string type;    ///< The exception's type, for people; "cancelled" and the like if none.
    std::string message; ///< Its what().
    std::string task;    ///< The task's name: from its options, else the function's.
    TaskId id{};
    Rank rank{}; ///< Where it ran, or where it was given up.
    std::string host;
    std::uint32_t attempt = 0;            ///< Counts from 1; 0 if it never ran.
    std::uint8_t standard_type = 0;       ///< Private to rethrow_cause().
    std::int32_t error_number = 0;        ///< Private to rethrow_cause().
    std::optional<std::int32_t> member{}; ///< Of a gang: which of its members it was.
};

/// A task has no value: it threw, was cancelled, or something it needed failed. Thrown by get().
class TaskError : public Error {
public:
    TaskError(std::vector<TaskFailure> chain, ErrorCode code);

    /// The task asked for first, then what made it fail, down to the root cause. Never empty.
    [[nodiscard]] const std::vector<TaskFailure>& chain() const noexcept { return chain_; }

    [[nodiscard]] const TaskFailure& root_cause() const noexcept { return chain_.back(); }

    /// Throws what the root cause threw: standard exceptions (and muster::Error) as their own
    /// type, anything else as std::runtime_error with its type and message.
    [[noreturn]] void rethrow_cause() const;

private:
    std::vector<TaskFailure> chain_;
};

} // namespace muster
