#pragma once

#include "arena/value_memory.hpp"
#include "runtime/executor_pool.hpp"
#include "runtime/inbox.hpp"
#include "runtime/look_desk.hpp"
#include "runtime/progress.hpp"
#include "runtime/rank_client.hpp"
#include "runtime/watchdog.hpp"
#include "transport/transport.hpp"

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace muster::runtime {

/// One rank of a run: its transport, state machines, executors and progress thread.
class RankRuntime {
public:
    struct Config {
        rank::RankMachine::Config machine;
        std::uint64_t run_id = 0;
        std::uint32_t parked_max = 1024;
        process::Zygote* zygote = nullptr; ///< Must outlive the runtime; may be none.
        std::optional<bool> survives_lost_ranks;
        ending::Limits limits;
        std::chrono::seconds stop_grace{5};
        /// The driver's rank's journal; may be none. The caller closes it before the runtime goes.
        recorder::Recorder* journal = nullptr;
        arena::ValueMemory::Config values{};              ///< What its large values may take.
        Duration room_patience = std::chrono::minutes{1}; ///< Of who waits for room for one.
        Seating::Config seating{};                        ///< Its CPUs and GPUs, which tasks get.
        trace::Tracer* tracer = nullptr; ///< Must outlive the runtime; may be none.
        /// The driver's rank answers those who look at the run.
        std::optional<LookDesk::Config> look{};
    };

    /// `functions` must outlive it.
    RankRuntime(Config config,
                const FunctionTable& functions,
                std::unique_ptr<transport::Transport> transport);
    RankRuntime(const RankRuntime&) = delete;
    RankRuntime& operator=(const RankRuntime&) = delete;
    /// Only after wait_end() returned.
    ~RankRuntime();

    /// On the driver's rank: waits until the cluster stands, runs the driver on this thread, and
    /// orders the end. What the driver throws is printed here.
    void run_driver(const std::function<int()>& driver);

    /// What was printed of that; empty if nothing was. Once the run has ended.
    [[nodiscard]] const std::string& driver_error() const { return driver_error_; }

    /// Until the run has ended on every rank.
    RunEnd wait_end();

    /// Any thread, and signal handlers.
    void wake() noexcept { transport_->wake(); }

private:
    /// Which values other ranks of the node can read.
    class SharedValues final : public store::Places {
    public:
        explicit SharedValues(std::shared_ptr<const arena::ValueMemory> values)
            : values_(std::move(values)) {}

        [[nodiscard]] std::optional<wire::SharedPlace>
        place_of(const Buffer& value) const override {
            return values_->place_of(value);
        }

    private:
        std::shared_ptr<const arena::ValueMemory> values_;
    };

    void seal();
    void stop_telling();

    std::unique_ptr<transport::Transport> transport_;
    std::shared_ptr<arena::ValueMemory> values_;
    SharedValues shared_values_{values_};
    Inbox inbox_;
    std::shared_ptr<RankClient> client_; // before the pool: its threads report to the last
    ExecutorPool pool_;
    std::string driver_error_;
    std::promise<void> formed_;
    std::promise<RunEnd> ended_;
    ProgressLoop progress_;
    trace::Tracer* tracer_;
    std::thread progress_thread_;
    std::optional<Watchdog> watchdog_; ///< Where others can do without this rank.
    std::unique_ptr<LookDesk> look_;   ///< Where it answers who looks.
};

} // namespace muster::runtime
