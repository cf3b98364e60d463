#pragma once

#include <stdexcept>
#include <string>

namespace muster {

/// Why a call failed. A code exists only if a caller would act on it; numbers are never reused.
enum class ErrorCode : int {
    failed = 1,         ///< The environment failed: a file, MPI, HDF5, the system.
    usage = 2,          ///< The caller asked for something malformed: options, arguments, sizes.
    infeasible = 3,     ///< No rank could ever satisfy the request.
    timed_out = 4,      ///< A deadline passed.
    cancelled = 5,      ///< The task or the job was cancelled.
    malformed = 6,      ///< Bytes that should decode do not.
    object_lost = 7,    ///< The value is gone, or belongs to another run.
    task_failed = 8,    ///< A task threw; see TaskError.
    aborted = 9,        ///< The communicator is of no use any more: a member of the gang ended.
    restarted = 10,     ///< The actor was lost while it was called, and lives elsewhere now.
    ending = 11,        ///< Not started: the run is ending. Save what there is, and return.
    out_of_memory = 12, ///< No room for a value, and none became free for long.
};

/// Base of everything the library throws. The text says who, what, where, and what to try.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string& message, ErrorCode code = ErrorCode::failed)
        : std::runtime_error(message), code_(code) {}

    [[nodiscard]] ErrorCode code() const noexcept { return code_; }

private:
    ErrorCode code_;
};

/// A command line or argument that cannot be used. muster::run() ends with exit code 2.
class UsageError : public Error {
public:
    explicit UsageError(const std::string& message) : Error(message, ErrorCode::usage) {}
};

} // namespace muster
