#pragma once

#include "process/error_relay.hpp"
#include "process/zygote.hpp"
#include "runtime/isolate/session.hpp"
#include "wire/devices.hpp"

#include <muster/core/resources.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace muster::runtime::isolate {

/// The processes of a rank that isolated tasks run in. One that has run a task is kept for the next
/// of the same kind, so that a function meets only its own statics, and what has opened a GPU is
/// not left with it when it has another.
///
/// Threads: any.
class Processes {
public:
    struct Config {
        process::Zygote* zygote = nullptr; ///< None if it could not be forked.
        Session::Config session;
        std::size_t idle_max = 32;          ///< Further ones are ended, the longest idle first.
        std::chrono::seconds idle_time{30}; ///< After which they are ended.
    };

    /// What tasks in one process have in common.
    struct Kind {
        FunctionId function{};
        Bytes memory_limit;
        wire::DeviceList devices; ///< GPUs.

        friend bool operator==(const Kind&, const Kind&) = default;
    };

    /// `client` is set before the first process is made.
    Processes(const Config& config, const FunctionTable& functions);
    Processes(const Processes&) = delete;
    Processes& operator=(const Processes&) = delete;
    ~Processes();

    void set_client(RankClient& client) { client_ = &client; }

    /// An idle process of the kind, or a new one.
    /// @throws Error if none can be made.
    std::unique_ptr<Session> take(const Kind& kind);

    /// A new one, which is not given back.
    std::unique_ptr<Session> make(Bytes memory_limit);

    /// After a task of the kind: keeps it, unless it died.
    void give_back(const Kind& kind, std::unique_ptr<Session> session);

private:
    using Clock = std::chrono::steady_clock;

    struct Idle {
        Kind kind;
        Clock::time_point since;
        std::unique_ptr<Session> session;
    };

    void end_idle();

    Config config_;
    const FunctionTable& functions_;
    RankClient* client_ = nullptr;
    process::ErrorRelay error_relay_;

    std::mutex mutex_; ///< Guards what follows.
    std::condition_variable changed_;
    std::list<Idle> idle_; ///< The longest idle first.
    bool ending_ = false;
    std::thread ender_; ///< Ends those that were idle for long; made with the first.
};

} // namespace muster::runtime::isolate
