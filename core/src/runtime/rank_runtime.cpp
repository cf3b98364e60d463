#include "runtime/rank_runtime.hpp"

#include "recorder/recorder.hpp"
#include "runtime/exit_codes.hpp"
#include "runtime/standard_error.hpp"

#include <muster/base/error.hpp>
#include <muster/base/log.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <limits>
#include <vector>

namespace muster::runtime {
namespace {

// Of the time after which others give a silent rank up: once it is over, nobody misses this one.
constexpr int watchdog_timeouts = 3;
// The journal's, when the run must end: within the grace that launchers leave.
constexpr std::chrono::milliseconds seal_time_max{500};
constexpr std::chrono::milliseconds flush_time_max{200};

void print_error(const std::string& text) {
    write_line("error: " + text);
}

[[noreturn]] void end_stalled(Rank self, Duration limit) {
    print_error(fmt::format("{}: its progress thread has not come back from MPI for {} s: it ends, "
                            "so that the others can go on without it",
                            to_string(self),
                            std::chrono::duration_cast<std::chrono::seconds>(limit).count()));
    ::_exit(exit_code_lost_rank);
}

// 2 is for a command line that cannot be used, 1 for everything else.
int run_and_report(const std::function<int()>& driver,
                   const RankClient& client,
                   std::string& printed) {
    const auto print = [&](const char* text) {
        printed = text;
        print_error(printed);
    };
    try {
        return driver();
    } catch (const UsageError& error) {
        print(error.what());
        return 2;
    } catch (const Error& error) {
        // That the run is ending has been said, and is why it did not get what it waited for.
        const bool said = client.stopping() && (error.code() == ErrorCode::ending ||
                                                error.code() == ErrorCode::cancelled);
        if (!said) {
            print(error.what());
        }
    } catch (const std::exception& error) {
        print(error.what());
    } catch (...) {
        print("the driver threw something that is not a std::exception");
    }
    return 1;
}

/// What has run for a second.
std::vector<trace::Record> records_of_running(const ExecutorPool& pool) {
    const auto now = std::chrono::steady_clock::now();
    std::vector<trace::Record> records;
    for (const auto& item : pool.count_running(std::numeric_limits<std::size_t>::max()).oldest) {
        if (item.age < std::chrono::seconds{1}) {
            break;
        }
        records.push_back({.event = trace::Event::runs,
                           .number = static_cast<std::uint32_t>(item.function),
                           .id = static_cast<std::uint64_t>(item.task),
                           .begin = trace::nanoseconds(now - item.age),
                           .value = static_cast<std::uint64_t>(trace::nanoseconds(now))});
    }
    return records;
}

rank::RankMachine::Config with_values(rank::RankMachine::Config config,
                                      const std::vector<NodeId>& nodes,
                                      const store::Places& places) {
    config.nodes = nodes;
    config.places = &places;
    return config;
}

} // namespace

RankRuntime::RankRuntime(Config config,
                         const FunctionTable& functions,
                         std::unique_ptr<transport::Transport> transport)
    : transport_(std::move(transport)),
      values_(std::make_shared<arena::ValueMemory>(config.values)),
      client_(std::make_shared<RankClient>(RankClient::Config{config.machine.self,
                                                              config.run_id,
                                                              transport_->world().node_of,
                                                              transport_->world().host_of,
                                                              transport_->no_raw_communicator(),
                                                              config.parked_max,
                                                              config.zygote,
                                                              config.survives_lost_ranks,
                                                              config.machine.time_limit,
                                                              config.journal,
                                                              values_,
                                                              config.machine.host,
                                                              config.tracer,
                                                              config.room_patience},
                                           functions,
                                           pool_,
                                           inbox_,
                                           [this] { transport_->wake(); })),
      pool_({config.machine.self,
             config.machine.host,
             transport_.get(),
             config.zygote,
             config.stop_grace,
             config.machine.self != config.machine.driver,
             config.seating},
            functions),
      progress_(with_values(config.machine, transport_->world().node_of, shared_values_),
                functions,
                *transport_,
                inbox_,
                *client_,
                pool_,
                config.limits,
                {.formed = [this] { formed_.set_value(); },
                 .closing =
                     [this] {
                         if (watchdog_) {
                             watchdog_->stop();
                         }
                         stop_telling();
                     },
                 .ended = [this](RunEnd end) { ended_.set_value(end); },
                 .seal = [this] { seal(); }}),
      tracer_(config.tracer) {
    pool_.set_client(*client_);
    if (tracer_ != nullptr) {
        tracer_->set_running([this] { return records_of_running(pool_); });
    }
    if (config.survives_lost_ranks == true && config.machine.watches) {
        const Duration limit = watchdog_timeouts * config.machine.heartbeat_timeout;
        watchdog_.emplace(progress_.rounds(), limit, [self = config.machine.self, limit] {
            end_stalled(self, limit);
        });
    }
    if (config.look) {
        look_ = LookDesk::open(*config.look, *client_, functions);
    }
    progress_thread_ = std::thread([this] { progress_.run(); });
    if (config.journal != nullptr) {
        config.journal->start(
            [this](auto run, auto done) { client_->decide(std::move(run), std::move(done)); });
    }
}

RankRuntime::~RankRuntime() {
    progress_thread_.join();
}

// Nobody waits for an answer any more: the client has ended.
void RankRuntime::stop_telling() {
    if (tracer_ != nullptr) {
        tracer_->forget_running();
    }
    look_.reset();
}

void RankRuntime::seal() {
    (void)client_->seal_journal(seal_time_max);
    if (tracer_ != nullptr) {
        tracer_->flush(flush_time_max);
    }
    if (look_ != nullptr) {
        look_->remove_socket();
    }
}

void RankRuntime::run_driver(const std::function<int()>& driver) {
    formed_.get_future().wait();
    int exit_code = 0;
    {
        const detail::CurrentScope scope(*client_, nullptr);
        exit_code = run_and_report(driver, *client_, driver_error_);
    }
    client_->report(rank::DriverFinished{exit_code});
}

RunEnd RankRuntime::wait_end() {
    return ended_.get_future().get();
}

} // namespace muster::runtime
