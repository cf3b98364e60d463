#include "runtime/isolate/serve.hpp"

#include "runtime/failure.hpp"
#include "runtime/isolate/process_client.hpp"

#include <muster/base/log.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace muster::runtime::isolate {
namespace {

int stop_pipe_writer = -1;

// A handler may not request a stop, so it wakes a thread that does. Signals are handled rather
// than blocked, because programs started from here would inherit a mask.
void on_terminate(int /*signal*/) {
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(stop_pipe_writer, "", 1);
    errno = error;
}

/// Passes SIGTERM on to what runs.
class StopRelay {
public:
    explicit StopRelay(ProcessClient& client) : client_(client) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            return; // then there is no asking, and the rank kills in the end
        }
        reader_ = ends[0];
        stop_pipe_writer = ends[1];

        struct sigaction action {};

        action.sa_handler = on_terminate;
        action.sa_flags = SA_RESTART;
        sigemptyset(&action.sa_mask);
        ::sigaction(SIGTERM, &action, nullptr);
        std::thread([this] { work(); }).detach(); // ends with the process
    }

    /// What is to stop from now on; a state without source when nothing runs.
    void set(std::stop_source source) {
        const std::lock_guard lock(mutex_);
        source_ = std::move(source);
    }

private:
    void work() {
        for (char byte = 0;;) {
            const ssize_t n = ::read(reader_, &byte, 1);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                return;
            }
            std::stop_source source{std::nostopstate};
            {
                const std::lock_guard lock(mutex_);
                source = source_;
            }
            source.request_stop(); // runs the task's own callbacks
            client_.tell(StopSeen{});
        }
    }

    ProcessClient& client_;
    int reader_ = -1;
    std::mutex mutex_; ///< Guards source_.
    std::stop_source source_{std::nostopstate};
};

/// What of the process shows code what it was granted.
class Surroundings {
public:
    void become(const Granted& granted) {
        // A GPU's runtime reads this once, so a process has the same GPUs all its life.
        if (granted.hides_gpus) {
            ::setenv("CUDA_VISIBLE_DEVICES", visible_devices(granted).c_str(), 1);
        }
        if (granted.threads > 0 && granted.threads != threads_) {
            threads_ = granted.threads;
            ::setenv("OMP_NUM_THREADS", std::to_string(threads_).c_str(), 1);
            set_openmp_threads(threads_); // it may have read the variable before
        }
        const std::vector<int>& cpus = granted.bound ? granted.cpus : all_;
        if (cpus != cpus_) {
            cpus_ = cpus;
            (void)bind_to(cpus, true);
        }
    }

private:
    const std::vector<int> all_ = bound_to();
    std::vector<int> cpus_ = all_;
    std::int32_t threads_ = 0;
};

class Server {
public:
    Server(const FunctionTable& functions, int socket)
        : functions_(functions), client_(std::make_shared<ProcessClient>(socket, functions)),
          stop_relay_(*client_) {}

    [[noreturn]] void run() {
        while (true) {
            perform(client_->next_order());
        }
    }

private:
    void perform(ProcessClient::Order order) {
        const Run& run = order.run;
        surroundings_.become(run.granted);
        client_->set_granted(run.granted);
        std::stop_source source;
        detail::CurrentTask current{run.id,
                                    run.function,
                                    run.attempt,
                                    run.depth,
                                    source.get_token(),
                                    run.job == Run::Job::task,
                                    run.context};
        current.in_destructor = run.job == Run::Job::destructor;
        stop_relay_.set(source);
        std::vector<Buffer> results(1);
        std::vector<wire::FailureRecord> failure;
        try {
            const detail::CurrentScope scope(*client_, &current);
            if (run.job == Run::Job::destructor) {
                instance_.reset();
            } else if (run.job == Run::Job::save) {
                results.front() = save_(instance_.get());
            } else {
                results.front() = invoke(run, order.payloads);
            }
        } catch (...) {
            failure = describe_current_exception();
        }
        stop_relay_.set(std::stop_source(std::nostopstate));
        order.payloads.clear();
        // What it printed is out before its result is.
        std::cout.flush();
        std::fflush(stdout);
        if (failure.empty()) {
            try {
                client_->tell(Done{}, std::move(results));
                return;
            } catch (...) {
                failure = describe_current_exception();
            }
        }
        client_->tell(Failed{std::move(failure)});
    }

    Buffer invoke(const Run& run, std::vector<Buffer>& payloads) {
        auto dependencies = std::span<const Buffer>(payloads).subspan(1);
        const Buffer* saved = nullptr;
        if (run.loads) {
            saved = &dependencies.back();
            dependencies = dependencies.first(dependencies.size() - 1);
        }
        detail::Invocation invocation{
            payloads.front().bytes(), dependencies, {}, nullptr, instance_.get()};
        invocation.saved = saved;
        functions_.at(run.function).invoke(invocation);
        if (invocation.coroutine) {
            return run_to_end(*invocation.coroutine);
        }
        if (run.job == Run::Job::constructor) {
            instance_ = std::move(invocation.made);
            save_ = invocation.save;
        }
        return std::move(invocation.result);
    }

    // There is one thread, so a coroutine keeps it while it waits.
    Buffer run_to_end(detail::CoroutineCall& coroutine) {
        while (detail::Wait* wait = coroutine.resume()) {
            const auto answers = std::make_shared<detail::CompletionQueue>();
            const std::size_t expected = wait->answers();
            wait->watch(answers);
            for (std::size_t i = 0; i < expected; ++i) {
                (void)client_->wait_any(*answers, std::nullopt);
            }
        }
        return coroutine.result();
    }

    const FunctionTable& functions_;
    std::shared_ptr<ProcessClient> client_;
    StopRelay stop_relay_;
    Surroundings surroundings_;
    std::shared_ptr<void> instance_; ///< The actor that lives here.
    decltype(detail::Invocation::save) save_ = nullptr;
};

} // namespace

void serve(const FunctionTable& functions, process::UniqueFd socket) {
    try {
        // Never destroyed: threads of the user's may outlive the last task.
        (new Server(functions, socket.get()))->run();
    } catch (const std::exception& error) {
        log::error("isolate", "process_gives_up why=\"{}\"", error.what());
    }
    ::_exit(1);
}

} // namespace muster::runtime::isolate
