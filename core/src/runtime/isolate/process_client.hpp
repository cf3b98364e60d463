#pragma once

#include "process/channel.hpp"
#include "registry/registry.hpp"
#include "runtime/isolate/messages.hpp"

#include <muster/core/detail/actor_block.hpp>
#include <muster/core/detail/client.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace muster::runtime::isolate {

/// A hosted process's runtime: asks its rank for everything.
///
/// No thread of its own: whoever waits receives, for all. So a future's state changes while some
/// thread waits, or asks ready(). If the rank goes, so does the process.
///
/// Threads: any.
class ProcessClient final : public detail::Client {
public:
    struct Order {
        Run run;
        std::vector<Buffer> payloads;
    };

    ProcessClient(int socket, const FunctionTable& functions);

    /// The next thing to do; waits for it.
    Order next_order();

    /// Tells the rank.
    void tell(const ToRank& message, std::vector<Buffer> payloads = {});

    detail::FuturePlace submit(const detail::FunctionEntry& function,
                               const TaskOptions& options,
                               detail::EncodedTasks tasks) override;
    std::shared_ptr<detail::FutureBlock> put(Buffer value, std::vector<ObjectId> actors) override;
    void cancel(ObjectId task) override;
    void wait_value(detail::FutureBlock& block, std::uint64_t index) override;

    /// Waits for them, since there is but one thread that waits.
    void want_value(detail::FutureBlock& block, std::uint64_t index) override {
        wait_value(block, index);
    }

    std::optional<std::size_t>
    wait_any(detail::CompletionQueue& queue,
             std::optional<std::chrono::steady_clock::time_point> deadline) override;
    void escape(ObjectId object) override;
    std::shared_ptr<detail::FutureBlock> borrow(ObjectId object) override;
    void release(ObjectId object) noexcept override;
    std::shared_ptr<detail::ActorBlock> spawn(const detail::ActorType& type,
                                              const ActorOptions& options,
                                              detail::EncodedTasks arguments) override;
    std::shared_ptr<detail::FutureBlock> call(const detail::ActorBlock& actor,
                                              const detail::FunctionEntry& method,
                                              const CallOptions& options,
                                              detail::EncodedTasks arguments) override;
    void kill_actor(ObjectId actor) override;
    std::shared_ptr<detail::ActorBlock> find_actor(const std::string& name,
                                                   const char* class_name) override;
    void escape_actor(ObjectId actor) override;
    std::shared_ptr<detail::ActorBlock>
    borrow_actor(ObjectId actor, std::uint32_t pending_calls_max, bool replays) override;
    void release_actor(ObjectId actor) noexcept override;

    std::shared_ptr<detail::GroupBlock> make_group(std::vector<Bundle> bundles,
                                                   const PlacementGroupOptions& options) override;
    std::shared_ptr<detail::GroupBlock> borrow_group(detail::GroupDescription description) override;
    void remove_group(ObjectId group) override;
    void release_group(ObjectId group) noexcept override;
    void poll() override;

    [[nodiscard]] std::uint64_t run_id() const override { return hello_.run_id; }

    [[nodiscard]] bool ended() const override;

    [[nodiscard]] ClusterInfo cluster() const override { return hello_.cluster; }

    /// What the process was granted; from the thread that takes the orders.
    void set_granted(const Granted& granted);
    [[nodiscard]] std::vector<std::string> gpus_of(const detail::CurrentTask& task) const override;
    [[nodiscard]] std::vector<int> cpus_of_thread() const override;

private:
    using Clock = std::chrono::steady_clock;
    /// Runs with the lock held, before anything that came after the answer is looked at.
    using Continuation = std::function<void(const Answer&, const Buffer&)>;

    struct Pending {
        Continuation then;
        std::optional<Answer> answer;
    };

    /// Futures of one submission, until the last of them is released.
    struct Submission {
        std::weak_ptr<detail::FutureBlock> block;
        std::uint64_t stride = 1;
        std::uint64_t count = 0;
        std::uint64_t held = 0;
    };

    /// @throws Error as the rank refuses.
    template <class Message>
    Answer ask(Message message, std::vector<Buffer> payloads, Continuation then = {});
    template <class Message>
    Answer ask_unless_refused(Message message, std::vector<Buffer> payloads, Continuation then);
    /// Receives, or waits while another thread does, until `done` says so or the deadline passes.
    void receive_until(std::unique_lock<std::mutex>& lock,
                       const std::function<bool()>& done,
                       std::optional<Clock::time_point> deadline = {});
    /// One message, waiting for it. @return false if the deadline passed first.
    bool receive_one(std::unique_lock<std::mutex>& lock, std::optional<Clock::time_point> deadline);
    void take_in(process::Frame frame);
    void settle(const FutureState& state, const Buffer& value);
    std::shared_ptr<detail::FutureBlock>
    keep(ObjectId first, std::uint64_t count, std::uint64_t stride);
    void flush_releases();

    int socket_;
    const FunctionTable& functions_;
    Hello hello_; ///< Written before the first order.
    process::Channel channel_;

    std::mutex sending_; ///< Guards the sending side of channel_, and releases_.
    std::vector<ObjectId> releases_;

    mutable std::mutex mutex_; ///< Guards what follows, and who receives.
    std::condition_variable changed_;
    bool receiving_ = false;
    bool greeted_ = false;
    bool ended_ = false;
    std::uint64_t last_request_ = 0;
    std::map<std::uint64_t, Pending> pending_;
    std::deque<Order> orders_;
    Granted granted_;
    std::map<ObjectId, Submission> submissions_;                         ///< By the first future.
    std::multimap<ObjectId, std::weak_ptr<detail::FutureBlock>> single_; ///< Borrowed ones.
};

} // namespace muster::runtime::isolate
