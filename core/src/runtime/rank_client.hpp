#pragma once

#include "registry/registry.hpp"
#include "runtime/call_counter.hpp"
#include "runtime/executor_pool.hpp"
#include "runtime/inbox.hpp"
#include "runtime/name_desk.hpp"

#include <muster/core/detail/client.hpp>
#include <muster/core/runtime.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <set>

namespace muster::process {
class Zygote;
}

namespace muster::runtime {

/// What user threads of one rank call: turns calls into events for the progress thread.
class RankClient final : public detail::Client {
public:
    struct Config {
        Rank self{};
        std::uint64_t run_id = 0;
        std::vector<NodeId> node_of;       ///< By rank.
        std::string no_raw_mpi;            ///< Why gangs cannot call MPI; empty if they can.
        std::uint32_t parked_max = 1024;   ///< Tasks of this rank that may wait in get() at once.
        process::Zygote* zygote = nullptr; ///< Starts commands; none if it could not be forked.
    };

    /// `wake` wakes the progress thread; called from any thread.
    RankClient(Config config,
               const FunctionTable& functions,
               ExecutorPool& pool,
               Inbox& inbox,
               std::function<void()> wake);

    /// What the coordinator announced. Before any user thread runs.
    void set_cluster(const wire::AnnounceCluster& cluster);

    /// Wakes every waiting thread: its call throws, as will every later one. `pool` and `inbox` are
    /// not touched afterwards.
    void end();

    [[nodiscard]] ClusterInfo cluster() const;

    std::shared_ptr<detail::FutureBlock> submit(const detail::FunctionEntry& function,
                                                const TaskOptions& options,
                                                std::vector<detail::EncodedTask> tasks) override;
    std::shared_ptr<detail::FutureBlock> put(Buffer value, std::vector<ObjectId> actors) override;
    void cancel(ObjectId task) override;
    void wait_value(detail::FutureBlock& block, std::uint64_t index) override;
    std::optional<std::size_t>
    wait_any(detail::Watcher& watcher,
             std::optional<std::chrono::steady_clock::time_point> deadline) override;
    void escape(ObjectId object) override;
    std::shared_ptr<detail::FutureBlock> borrow(ObjectId object) override;
    void release(ObjectId object) noexcept override;

    std::shared_ptr<detail::ActorBlock> spawn(const detail::ActorType& type,
                                              const ActorOptions& options,
                                              detail::EncodedTask arguments) override;
    std::shared_ptr<detail::FutureBlock> call(const detail::ActorBlock& actor,
                                              const detail::FunctionEntry& method,
                                              detail::EncodedTask arguments) override;
    std::shared_ptr<detail::ActorBlock> find_actor(const std::string& name,
                                                   const char* class_name) override;
    void escape_actor(ObjectId actor) override;
    std::shared_ptr<detail::ActorBlock> borrow_actor(ObjectId actor,
                                                     std::uint32_t pending_calls_max) override;
    void release_actor(ObjectId actor) noexcept override;

    // The progress thread's answers.
    void calls_done(const wire::CallsDone& done);
    void answer_name(wire::AnswerName answer);

    [[nodiscard]] std::uint64_t run_id() const override { return config_.run_id; }

    [[nodiscard]] bool ended() const override { return ended_.load(); }

    [[nodiscard]] process::Zygote* zygote() const { return config_.zygote; }

    /// From executor threads: a task's fate, for the progress thread.
    void report(rank::Event event);

private:
    /// The calling task, if any, lends its CPUs from construction to destruction.
    class Blocked {
    public:
        explicit Blocked(RankClient& client);
        Blocked(const Blocked&) = delete;
        Blocked& operator=(const Blocked&) = delete;
        ~Blocked();

    private:
        RankClient& client_;
        const detail::CurrentTask* task_;
    };

    [[nodiscard]] ObjectId next_id(std::uint64_t count);
    bool post(LocalEvent event);
    /// `what` it is about, in errors: "task train".
    [[nodiscard]] wire::TaskClass classify(const detail::FunctionEntry& function,
                                           const TaskOptions& options,
                                           const std::string& what) const;
    void check_feasible(const wire::TaskClass& task_class, const std::string& what) const;
    void check_members_fit(const wire::TaskClass& task_class, const std::string& what) const;
    void check_gang(const TaskOptions& options,
                    const detail::FunctionEntry& function,
                    const std::string& what) const;
    void
    claim_name(const std::string& name, const wire::NamedActor& actor, const std::string& what);
    [[nodiscard]] wire::AnswerName ask_name(std::uint64_t request, rank::Event question);
    [[noreturn]] static void throw_ended();

    Config config_;
    const FunctionTable& functions_;
    ExecutorPool& pool_;
    Inbox& inbox_;
    std::function<void()> wake_;
    wire::AnnounceCluster cluster_; ///< Written before the first user thread starts.
    std::atomic<std::uint64_t> last_sequence_{0};
    std::atomic<std::uint32_t> parked_{0};

    std::atomic<bool> ended_{false};
    std::mutex ending_; ///< Guards the two sets, and orders posting against end().
    std::multiset<detail::FutureSlot*> waiting_slots_;
    std::multiset<detail::Watcher*> waiting_watchers_;

    CallCounter calls_;
    NameDesk names_;
};

} // namespace muster::runtime
