#include "runtime/rank_runtime.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <exception>

namespace muster::runtime {
namespace {

void print_error(const std::string& text) {
    const std::string line = fmt::format("error: {}\n", text);
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

// 2 is for a command line that cannot be used, 1 for everything else.
int run_and_report(const std::function<int()>& driver) {
    try {
        return driver();
    } catch (const UsageError& error) {
        print_error(error.what());
        return 2;
    } catch (const std::exception& error) {
        print_error(error.what());
    } catch (...) {
        print_error("the driver threw something that is not a std::exception");
    }
    return 1;
}

} // namespace

RankRuntime::RankRuntime(Config config,
                         const FunctionTable& functions,
                         std::unique_ptr<transport::Transport> transport)
    : transport_(std::move(transport)),
      client_(std::make_shared<RankClient>(RankClient::Config{config.machine.self,
                                                              config.run_id,
                                                              transport_->world().node_of,
                                                              transport_->no_raw_communicator(),
                                                              config.parked_max,
                                                              config.zygote},
                                           functions,
                                           pool_,
                                           inbox_,
                                           [this] { transport_->wake(); })),
      pool_({config.machine.self, config.machine.host, transport_.get()},
            functions,
            [this](rank::Event event) { client_->report(std::move(event)); }),
      progress_(config.machine,
                functions,
                *transport_,
                inbox_,
                *client_,
                pool_,
                {.formed = [this] { formed_.set_value(); },
                 .ended = [this](int exit_code) { ended_.set_value(exit_code); }}) {
    pool_.set_client(*client_);
    progress_thread_ = std::thread([this] { progress_.run(); });
}

RankRuntime::~RankRuntime() {
    progress_thread_.join();
}

void RankRuntime::run_driver(const std::function<int()>& driver) {
    formed_.get_future().wait();
    int exit_code = 0;
    {
        const detail::CurrentScope scope(*client_, nullptr);
        exit_code = run_and_report(driver);
    }
    client_->report(rank::DriverFinished{exit_code});
}

int RankRuntime::wait_end() {
    return ended_.get_future().get();
}

} // namespace muster::runtime
