#pragma once

#include "process/channel.hpp"
#include "process/error_relay.hpp"
#include "process/hosted.hpp"
#include "registry/registry.hpp"
#include "runtime/isolate/messages.hpp"
#include "runtime/rank_client.hpp"

#include <muster/core/detail/actor_block.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace muster::runtime::isolate {

/// A hosted process as its rank sees it: has it run tasks, and answers what the code inside asks.
/// Dropped, the process is killed.
///
/// Threads: one at a time.
class Session {
public:
    struct Config {
        std::chrono::milliseconds stop_grace{5000}; ///< From SIGTERM to SIGKILL.
    };

    struct Outcome {
        bool ok = true;
        Buffer value;
        std::vector<wire::FailureRecord> failure; ///< Without what the caller knows of the task.
    };

    /// What becomes of the process when what it runs is asked to stop and goes on.
    enum class OnStop : std::uint8_t {
        kill,       ///< It is killed after the grace.
        kill_at_end ///< The same, but only at the end of the run; before, it is not.
    };

    Session(const Config& config,
            process::HostedProcess process,
            std::shared_ptr<process::ErrorRelay::Stream> error,
            const FunctionTable& functions,
            RankClient& client);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    /// Runs one thing to its end, in the name of `current`, which the calling thread runs. The end
    /// of the process is a failure of kind system that says how it came.
    Outcome run(const Run& run,
                std::vector<Buffer> payloads,
                const detail::CurrentTask& current,
                OnStop on_stop);

    /// Its process has not been seen to end.
    [[nodiscard]] bool alive() const { return death_.empty(); }

    /// It has ended, though nobody may have seen it yet.
    [[nodiscard]] bool has_ended() const;

    /// True if it can run something else: it lives, and no signal to an earlier task is under way.
    [[nodiscard]] bool reusable();

private:
    using Clock = std::chrono::steady_clock;

    /// Wakes the session from other threads: futures have become something, or a stop is wanted.
    class Bell;

    /// A future that the process holds.
    struct Held {
        std::shared_ptr<detail::FutureBlock> block;
        std::uint64_t index = 0;
    };

    /// What run() works on.
    struct Job {
        const detail::CurrentTask& current;
        OnStop on_stop;
        std::optional<Outcome> outcome;
        std::optional<Clock::time_point> stopped_at; ///< When it got SIGTERM.
        bool killed = false;                         ///< For not having stopped.
    };

    void wait(std::chrono::milliseconds timeout);
    void await_stop_seen(Job& job);
    void stop_if_asked(Job& job);
    void attend(Job& job);
    void receive(Job& job);
    void perform(Job& job, ToRank message, std::vector<Buffer>& payloads);
    template <class Message, class Serve>
    void answer(const Message& message, Serve&& serve);
    void send(const ToProcess& message, const std::vector<Buffer>& payloads = {});

    void submit(const Submit& message, const Buffer& payload, Answer& answer);
    void want(const Want& message);
    void hold(const std::shared_ptr<detail::FutureBlock>& block, std::uint64_t index);
    void release(ObjectId object);
    void take_in_arrivals();
    void advance(ObjectId object);
    [[nodiscard]] const Held* find(ObjectId object) const;
    void begin_wait();
    void end_wait();
    void end_all_waits();

    /// @param known  Why, if the process's end does not say it.
    [[nodiscard]] Outcome died(const Job& job, const std::string& known);
    [[nodiscard]] Outcome cannot_run() const;

    Config config_;
    process::HostedProcess process_;
    std::shared_ptr<process::ErrorRelay::Stream> error_;
    const FunctionTable& functions_;
    RankClient& client_;
    process::Channel channel_;
    std::shared_ptr<Bell> bell_;

    std::string death_;           ///< Why it ended; empty while it lives.
    bool stop_under_way_ = false; ///< A SIGTERM was sent that it has not seen.
    bool told_of_end_ = false;    ///< Of the run.
    std::multimap<ObjectId, Held> held_;
    std::multimap<ObjectId, std::shared_ptr<detail::ActorBlock>> actors_;
    std::multimap<ObjectId, std::shared_ptr<detail::GroupBlock>> groups_;
    std::multimap<ObjectId, std::uint64_t> wanted_; ///< Requests, by future.
    std::vector<std::pair<FutureState, Buffer>> news_;
    int waits_ = 0; ///< Threads inside that wait for futures.
    std::optional<RankClient::Blocked> blocked_;
};

} // namespace muster::runtime::isolate
