#pragma once

#include "process/tail.hpp"
#include "process/unique_fd.hpp"

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace muster::process {

/// Passes on what hosted processes write to their standard error to this process's own, and keeps
/// the last of it for messages. A thread, started with the first stream, does nothing else, so that
/// neither a process nor its rank waits for who reads the output.
class ErrorRelay {
public:
    /// The standard error of one process. Threads: any.
    class Stream {
    public:
        explicit Stream(UniqueFd fd) : fd_(std::move(fd)) {}

        /// Forgets what was written so far: lines of an earlier task explain nothing.
        void forget();

        /// The last lines, also of what has been written and not passed on yet.
        [[nodiscard]] std::string last_lines();

    private:
        friend class ErrorRelay;
        /// @return false at the stream's end.
        bool pass_on();

        UniqueFd fd_;
        std::mutex mutex_; ///< Guards tail_, and keeps what is passed on in order.
        Tail tail_{2048};
    };

    ErrorRelay() = default;
    ErrorRelay(const ErrorRelay&) = delete;
    ErrorRelay& operator=(const ErrorRelay&) = delete;
    ~ErrorRelay();

    /// `fd` must not block. @return null if there are no descriptors left.
    std::shared_ptr<Stream> add(UniqueFd fd);

private:
    void work();
    void wake() const;

    std::mutex mutex_; ///< Guards what follows.
    std::list<std::weak_ptr<Stream>> streams_;
    bool ending_ = false;
    UniqueFd wake_; ///< An eventfd, made with the thread.
    std::thread thread_;
};

} // namespace muster::process
