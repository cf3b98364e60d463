#pragma once

#include "arena/value_memory.hpp"
#include "registry/registry.hpp"
#include "runtime/answer_desk.hpp"
#include "runtime/call_counter.hpp"
#include "runtime/deadline_hooks.hpp"
#include "runtime/executor_pool.hpp"
#include "runtime/inbox.hpp"
#include "runtime/leadership.hpp"
#include "trace/tracer.hpp"

#include <muster/core/detail/client.hpp>
#include <muster/core/detail/group_block.hpp>
#include <muster/core/memory_report.hpp>
#include <muster/core/runtime.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <set>

namespace muster::process {
class Zygote;
}

namespace muster::recorder {
class Recorder;
}

namespace muster::runtime {

/// What user threads of one rank call: turns calls into events for the progress thread.
class RankClient final : public detail::Client {
public:
    struct Config {
        Rank self{};
        std::uint64_t run_id = 0;
        std::vector<NodeId> node_of;       ///< By rank.
        std::vector<std::string> host_of;  ///< By rank.
        std::string no_raw_mpi;            ///< Why gangs cannot call MPI; empty if they can.
        std::uint32_t parked_max = 1024;   ///< Tasks of this rank that may wait in get() at once.
        process::Zygote* zygote = nullptr; ///< Starts commands; none if it could not be forked.
        std::optional<bool> survives_lost_ranks; ///< As ClusterInfo says it.
        std::optional<TimePoint> time_limit{};   ///< When the run's time is over, if that is known.
        recorder::Recorder* journal = nullptr;   ///< The driver's rank's, if the run has one.
        std::shared_ptr<arena::ValueMemory> values{}; ///< Where large values go; may be none.
        std::string host{};
        trace::Tracer* tracer = nullptr; ///< What happens on this rank is noted there; may be none.
        /// How long a thread waits for room for a value while none is freed.
        Duration room_patience = std::chrono::minutes{1};
    };

    /// `wake` wakes the progress thread; called from any thread.
    RankClient(Config config,
               const FunctionTable& functions,
               ExecutorPool& pool,
               Inbox& inbox,
               std::function<void()> wake);

    /// What the coordinator announced. First before any user thread runs, and again after each
    /// loss of a rank.
    void set_cluster(const wire::AnnounceCluster& cluster);

    /// Wakes every waiting thread: its call throws, as will every later one. `pool` and `inbox` are
    /// not touched afterwards.
    void end();

    [[nodiscard]] ClusterInfo cluster() const override;

    [[nodiscard]] std::shared_ptr<std::byte[]> allocate_value(std::size_t size) override;
    [[nodiscard]] Buffer share_value(Buffer value) override;

    /// Memory for a value that comes from another rank. Does not wait for room: what does not fit
    /// lies in private memory.
    [[nodiscard]] std::shared_ptr<std::byte[]> receive_value(std::size_t size);

    detail::FuturePlace submit(const detail::FunctionEntry& function,
                               const TaskOptions& options,
                               detail::EncodedTasks tasks) override;
    std::shared_ptr<detail::FutureBlock> put(Buffer value, std::vector<ObjectId> actors) override;
    void cancel(ObjectId task) override;
    void free(ObjectId object) override;
    [[nodiscard]] wire::RoomStatus room() const;
    [[nodiscard]] std::string explain(ObjectId task) override;
    [[nodiscard]] std::vector<std::optional<Buffer>>
    recorded(const detail::FunctionEntry& function, std::span<const std::string> keys) override;
    [[nodiscard]] MemoryReport memory_report() override;

    // For who looks at the run from outside, on a thread of its own, which is no task's and not the
    // driver's. Nothing: the run is ending, or no answer came within some seconds.
    [[nodiscard]] std::optional<wire::AnswerStatus> ask_status();
    [[nodiscard]] std::optional<wire::TaskStatus> ask_task(ObjectId task);
    [[nodiscard]] std::optional<wire::TasksPage> ask_tasks(Rank rank, wire::TasksWanted question);

    /// Where the calling thread notes what it does; null if the run is not traced.
    [[nodiscard]] trace::Lane* trace_lane() const {
        return config_.tracer == nullptr ? nullptr : config_.tracer->lane();
    }

    void wait_value(detail::FutureBlock& block, std::uint64_t index) override;
    void want_value(detail::FutureBlock& block, std::uint64_t index) override;
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

    [[nodiscard]] bool stopping() const noexcept override { return stopping_.load(); }

    [[nodiscard]] std::optional<TimePoint> end_time() const noexcept override;

    std::uint64_t add_deadline_hook(std::function<void()> hook) override {
        return hooks_.add(std::move(hook));
    }

    void remove_deadline_hook(std::uint64_t id) override { hooks_.remove(id); }

    /// Any thread: nothing refers any more to what `holder` lent as this transfer.
    void unmap(Rank holder, std::uint64_t transfer) noexcept;

    // The progress thread's answers.

    /// The run is about to end, at `end`; again if it comes closer.
    void begin_ending(TimePoint end, bool with_hooks);

    /// Tasks and calls of this rank that wait for a future.
    [[nodiscard]] std::size_t parked() const { return parked_.load(); }

    /// A thread that runs no task waits for a future: on the driver's rank, the driver.
    [[nodiscard]] bool driver_waits() const { return outside_waiting_.load() > 0; }

    /// Hooks are running.
    [[nodiscard]] bool hooks_busy() const { return hooks_.busy(); }

    void calls_done(const wire::CallsDone& done);
    void answer_name(wire::AnswerName answer);
    void answer_explain(wire::AnswerExplain answer);
    void answer_status(wire::AnswerStatus answer);
    void answer_tasks(wire::AnswerTasks answer);

    /// From the progress thread: how a task ended, for the journal if it is keyed.
    void
    report_keyed(detail::FutureBlock& block, std::uint64_t index, const wire::Outcome& outcome);

    /// From the journal's thread: what becomes of tasks that were withheld for it.
    void decide(std::vector<TaskId> run, std::vector<std::pair<TaskId, wire::Outcome>> done);

    /// Before an end that runs no destructors: see recorder::Recorder::seal().
    bool seal_journal(std::chrono::nanoseconds timeout);
    void sync_journal();
    [[nodiscard]] JournalStatus journal_status();

    [[nodiscard]] std::uint64_t run_id() const override { return config_.run_id; }

    [[nodiscard]] bool ended() const override { return ended_.load(); }

    [[nodiscard]] process::Zygote* zygote() const { return config_.zygote; }

    [[nodiscard]] std::vector<std::string> gpus_of(const detail::CurrentTask& task) const override;
    [[nodiscard]] std::vector<int> cpus_of_thread() const override;
    /// What the task has that the calling thread runs.
    [[nodiscard]] Granted granted(const detail::CurrentTask& task) const;

    /// From executor threads: a task's fate, for the progress thread.
    void report(rank::Event event);

    /// The same, sent on its way here if the rank is quiet. The caller holds no lock of the pool.
    void report_and_drive(rank::Event event);

    /// The same; nobody is woken for it. @return whether the caller is to drive the rank, or to
    /// wake its leader.
    [[nodiscard]] bool report_unheard(rank::Event event) { return inbox_.post(std::move(event)); }

    void wake_leader() { wake_(); }

    /// Who drives this rank.
    [[nodiscard]] Leadership& leadership() { return leadership_; }

    /// The calling task, if any, lends its CPUs from construction to destruction.
    class Blocked {
    public:
        /// If the caller `drives`, nobody is woken for what is posted here before drive_until().
        explicit Blocked(RankClient& client, bool drives = false);
        Blocked(const Blocked&) = delete;
        Blocked& operator=(const Blocked&) = delete;
        ~Blocked();

        /// Until `done`, driving the rank if nobody else is at it; see Leadership::drive_until().
        [[nodiscard]] bool
        drive_until(const std::function<bool()>& done,
                    std::optional<std::chrono::steady_clock::time_point> deadline = {});

        /// An event that the caller waits for. Nobody is woken for it before drive_until().
        void post(LocalEvent&& event);

    private:
        void hear();

        RankClient& client_;
        const detail::CurrentTask* task_;
        bool unheard_ = false;    ///< Posted, and nobody was woken for it.
        bool is_outside_ = false; ///< No task waits, but the driver.
    };

    /// For as long as it lives, the end of the run is told to a watcher.
    class Attached {
    public:
        Attached(RankClient& client, detail::Watcher& watcher);
        Attached(const Attached&) = delete;
        Attached& operator=(const Attached&) = delete;
        ~Attached();

    private:
        RankClient& client_;
        detail::Watcher& watcher_;
    };

    [[nodiscard]] Attached attach(detail::Watcher& watcher) { return {*this, watcher}; }

    [[nodiscard]] std::shared_ptr<const wire::AnnounceCluster> announced() const;

private:
    /// Notes how long the calling thread waits, for which object if it is for one.
    class Waiting {
    public:
        Waiting(const RankClient& client, std::optional<ObjectId> object);
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        ~Waiting();

    private:
        trace::Lane* lane_;
        std::optional<ObjectId> object_;
        TimePoint began_{};
    };

    void note_submitted(const owner::Submission& submission) const;
    /// The same, of a submission that has not got its id. Only if the run is traced.
    void note_submitted(ObjectId first, const owner::Submission& submission) const;
    [[nodiscard]] std::string name_of(FunctionId function) const;
    /// Waits, as in get(), until other values have been freed.
    /// @throws Error (out_of_memory) if it can never fit, or none is freed for long.
    [[nodiscard]] std::shared_ptr<std::byte[]> wait_for_room(std::size_t size);
    [[nodiscard]] ObjectId next_id(std::uint64_t count);
    bool post(LocalEvent&& event);
    /// What the caller is probably going to wait for: sent on its way here, if the rank is quiet.
    bool post_and_drive(LocalEvent&& event);
    /// Of one task, which may join others that were not taken yet: see Inbox::join().
    [[nodiscard]] detail::FuturePlace submit_lone(owner::Submission submission);
    /// `what` it is about, in errors: "task train".
    [[nodiscard]] wire::TaskClass classify(const detail::FunctionEntry& function,
                                           const TaskOptions& options,
                                           const std::string& what) const;
    /// Throws Error (usage) if any is negative.
    /// What it may take instead, and that there is a rank for any of that.
    void add_alternatives(wire::TaskClass& task_class,
                          const TaskOptions& options,
                          const std::string& what) const;
    [[nodiscard]] static Resources demand_of(Amount cpus,
                                             Amount gpus,
                                             Bytes memory,
                                             const std::map<std::string, Amount>& resources,
                                             const std::string& what);
    /// Throws Error (usage) for tasks that cannot be keyed.
    [[nodiscard]] std::vector<detail::KeyDigest> digest_keys(const detail::FunctionEntry& function,
                                                             const TaskOptions& options,
                                                             const detail::EncodedTasks& tasks,
                                                             const std::string& what) const;
    [[nodiscard]] std::shared_ptr<detail::FutureBlock>
    submit_keyed(owner::Submission submission,
                 std::vector<detail::KeyDigest> keys,
                 const detail::FunctionEntry& function,
                 const std::string& what);
    void tell_journal_slots() const;
    void check_feasible(const wire::TaskClass& task_class, const std::string& what) const;
    void know_group(const detail::GroupDescription& description);
    void check_group_fits(const wire::GroupSpec& spec, const std::string& what) const;
    /// That its placement group is known here, and has bundles large enough.
    void check_in_group(const wire::TaskClass& task_class, const std::string& what) const;
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
    mutable std::mutex cluster_mutex_; ///< Guards the pointer.
    std::shared_ptr<const wire::AnnounceCluster> cluster_;
    Leadership leadership_;

    struct KnownGroup {
        detail::GroupDescription description;
        std::size_t blocks = 0; ///< Of handles.
    };

    mutable std::mutex groups_mutex_; ///< Guards the map.
    std::map<ObjectId, KnownGroup> groups_;
    std::atomic<std::uint64_t> last_sequence_{0};
    std::atomic<std::uint32_t> parked_{0};

    std::atomic<bool> ended_{false};
    std::mutex ending_; ///< Guards the two sets, and orders posting against end().
    std::multiset<detail::FutureSlot*> waiting_slots_;
    std::multiset<detail::Watcher*> waiting_watchers_;

    CallCounter calls_;
    AnswerDesk<wire::AnswerName> names_;
    AnswerDesk<wire::AnswerExplain> explanations_;
    AnswerDesk<wire::AnswerStatus> reports_;
    AnswerDesk<wire::AnswerTasks> task_lists_;

    std::atomic<std::uint32_t> outside_waiting_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<TimePoint> end_time_{TimePoint::max()};
    DeadlineHooks hooks_;
};

} // namespace muster::runtime
