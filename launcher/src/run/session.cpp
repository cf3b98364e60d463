#include "run/session.hpp"

#include "process/launch.hpp"
#include "process/pipes.hpp"
#include "run/coordinator.hpp"
#include "run/machine.hpp"

#include <muster/base/error.hpp>
#include <muster/base/log.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>

namespace muster::launcher::run {
namespace {

constexpr int killed_code = 137;
constexpr auto rank_code_patience = std::chrono::milliseconds(500);
constexpr auto launcher_patience = std::chrono::seconds(10);

bool asks_to_end(int number) {
    return number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
}

/// Every signal that has come.
std::vector<int> read_signals(int fd) {
    std::vector<int> numbers;
    signalfd_siginfo info{};
    while (::read(fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        numbers.push_back(static_cast<int>(info.ssi_signo));
    }
    return numbers;
}

void earlier(std::optional<TimePoint>& first, const std::optional<TimePoint>& time) {
    if (time && (!first || *time < *first)) {
        first = time;
    }
}

/// muster itself was killed: everything goes with it.
[[noreturn]] void go_down() {
    kill_descendants();
    ::_exit(killed_code);
}

/// Variables with some replaced.
std::vector<std::string> with(std::vector<std::string> variables,
                              const std::vector<std::pair<std::string, std::string>>& own) {
    for (const auto& [name, value] : own) {
        std::erase_if(variables, [start = name + "="](const std::string& entry) {
            return entry.starts_with(start);
        });
        variables.push_back(name + "=" + value);
    }
    return variables;
}

class Session {
public:
    Session(Guard& guard, SessionOptions options)
        : guard_(guard), options_(std::move(options)), output_(loop_, options_.output) {
        if (options_.secret.empty()) {
            options_.secret = random_secret();
        }
        coordinator_.emplace(loop_, options_.group, output_, options_.secret);
    }

    int run() {
        loop_.watch(guard_.life.get(), POLLIN, [] { go_down(); });
        loop_.watch(guard_.signals.get(), POLLIN, [this] { take_signals(); });
        if (options_.listens) {
            Listener listener = options_.listener.socket
                                    ? std::move(options_.listener)
                                    : listen_at(options_.listens_everywhere, options_.port);
            port_ = listener.port;
            coordinator_->listen(std::move(listener));
        }
        start_local();
        start_launches();
        loop_.run([this] { return deadline(); }, [this] { tick(); });
        return code();
    }

private:
    [[nodiscard]] std::vector<std::string> endpoints() const {
        return options_.listens_everywhere
                   ? own_endpoints(port_)
                   : std::vector<std::string>{fmt::format("127.0.0.1:{}", port_)};
    }

    void start_local() {
        if (!options_.local) {
            return;
        }
        if (options_.rank_helper_tells_code) {
            options_.local->inherited =
                with(std::move(options_.local->inherited),
                     {{"MUSTER_RANK_REPORT", fmt::format("{}", fmt::join(endpoints(), ","))},
                      {"MUSTER_RANK_SECRET", options_.secret}});
        }
        supervisor_.emplace(loop_, *options_.local, output_, [this](const Event& event) {
            const auto* exited = std::get_if<Exited>(&event);
            if (exited != nullptr && options_.rank_helper_tells_code) {
                launcher_exited_ = *exited;
                wait_for_rank_code_until_ = Loop::now() + rank_code_patience;
            } else if (launcher_exited_) {
                after_launcher_.push_back(event);
            } else {
                coordinator_->post(event);
            }
        });
        coordinator_->set_local(*supervisor_);
        Joined joined;
        joined.host = options_.local->host;
        joined.address = options_.listens_everywhere ? options_.local->host : "127.0.0.1";
        joined.processes = options_.local->processes;
        joined.port = find_free_port();
        coordinator_->post(joined);
    }

    void start_launches() {
        int index = 0;
        for (const SupervisorLaunch& each : options_.launches) {
            auto variables = with(variables_of(slurm::Environment::of_process()), each.environment);
            variables = with(
                std::move(variables),
                {{secret_variable, options_.secret},
                 {invitation_variable,
                  invitation(options_.launched_nodes,
                             options_.launched_ranks,
                             endpoints(),
                             options_.numbers_launches ? std::optional(index) : std::nullopt)}});
            process::LaunchPlan plan;
            plan.spec.argv = each.argv;
            auto report = process::make_pipe();
            if (!report) {
                throw Error(std::generic_category().message(errno));
            }
            plan.report = std::move(report->write);
            const pid_t pid = process::CommandLauncher(variables).launch(plan);
            if (pid < 0) {
                throw Error(fmt::format("{} cannot be started: {}",
                                        each.argv.front(),
                                        std::generic_category().message(errno)));
            }
            launched_[pid] = each.argv.front();
            ++index;
        }
    }

    void take_signals() {
        for (const int number : read_signals(guard_.signals.get())) {
            if (number == SIGCHLD) {
                if (supervisor_) {
                    supervisor_->reap();
                } else {
                    reap_launches();
                }
            } else if (coordinator_->finished()) {
                if (asks_to_end(number)) {
                    loop_.stop(); // who reads the output does not, and is not waited for
                }
            } else {
                interrupted_ = interrupted_ || number == SIGINT;
                coordinator_->post(Signalled{number});
            }
        }
    }

    void reap_launches() {
        int status = 0;
        pid_t pid = 0;
        while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
            const auto place = launched_.find(pid);
            if (place == launched_.end()) {
                continue;
            }
            Ending ending;
            ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
            ending.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
            const std::string how = fmt::format("{} ended: {}", place->second, describe(ending));
            launched_.erase(place);
            if (launched_.empty() && !coordinator_->finished()) {
                coordinator_->post(LauncherEnded{how});
            }
        }
    }

    std::optional<TimePoint> deadline() {
        auto first = coordinator_->deadline();
        earlier(first, output_.deadline());
        if (supervisor_) {
            earlier(first, supervisor_->deadline());
        }
        if (launcher_exited_) {
            earlier(first, wait_for_rank_code_until_);
        }
        if (coordinator_->finished()) {
            earlier(first, end_until_);
        }
        return first;
    }

    void tick() {
        hand_on_launcher_exit();
        if (supervisor_) {
            supervisor_->tick();
        }
        output_.tick();
        coordinator_->tick();
        if (!coordinator_->finished()) {
            return;
        }
        if (!end_until_) {
            end_until_ = Loop::now() + launcher_patience;
            output_.flush();
        }
        const bool launches_gone = launched_.empty() || Loop::now() >= *end_until_;
        if (launches_gone && output_.empty()) {
            loop_.stop();
        }
    }

    /// The launcher of MPI ranks has ended; how rank 0 did may still be on its way.
    void hand_on_launcher_exit() {
        if (!launcher_exited_) {
            return;
        }
        const auto code = coordinator_->take_rank_code();
        if (!code && Loop::now() < wait_for_rank_code_until_) {
            return;
        }
        Exited event = *launcher_exited_;
        launcher_exited_.reset();
        if (code) {
            event.ending = {};
            event.ending.exit_code = *code;
        } else if (event.ending.ok()) {
            event.ending.exit_code = 1; // rank 0 was killed, with who would have told
        }
        coordinator_->post(event);
        for (const Event& each : std::exchange(after_launcher_, {})) {
            coordinator_->post(each);
        }
    }

    [[nodiscard]] int code() const {
        const int code = coordinator_->code();
        return code != 0 && interrupted_ && options_.interrupt_is_termination ? 128 + SIGINT : code;
    }

    Guard& guard_;
    SessionOptions options_;
    Loop loop_;
    Output output_;
    std::optional<Coordinator> coordinator_;
    std::optional<Supervisor> supervisor_;
    std::map<pid_t, std::string> launched_;
    int port_ = 0;
    bool interrupted_ = false;
    std::optional<Exited> launcher_exited_;
    TimePoint wait_for_rank_code_until_{};
    std::vector<Event> after_launcher_;
    std::optional<TimePoint> end_until_;
};

/// One node of a run that another process coordinates.
class Member {
public:
    Member(Guard& guard, SupervisorOptions options, OutputOptions output)
        : guard_(guard), output_(loop_, std::move(output)), options_(std::move(options)),
          supervisor_(loop_, options_, output_, [this](const Event& event) {
              if (const auto* exited = std::get_if<Exited>(&event)) {
                  connection_->send(*exited);
              } else if (const auto* stopped = std::get_if<Stopped>(&event)) {
                  connection_->send(*stopped);
              }
          }) {}

    int run(const Rendezvous& rendezvous, Duration patience) {
        loop_.watch(guard_.life.get(), POLLIN, [] { go_down(); });
        loop_.watch(guard_.signals.get(), POLLIN, [this] { take_signals(); });
        auto socket = connect_to(rendezvous.endpoints, patience, guard_.signals.get());
        if (!socket) {
            throw Error(fmt::format("node {}: the run's first node does not answer at {}",
                                    options_.host,
                                    fmt::join(rendezvous.endpoints, " or ")));
        }
        connection_.emplace(
            loop_,
            std::move(socket),
            1 << 20,
            [this](const Message& message) { orders_.push_back(message); },
            [this](const std::string& why) {
                if (!code_) {
                    output_.say(
                        fmt::format("node {} ends its ranks: the run's first node is gone ({})",
                                    options_.host,
                                    why));
                    supervisor_.kill_all();
                    code_ = 1;
                }
            });
        Hello hello;
        hello.secret = rendezvous.secret;
        hello.joined.node = NodeId{rendezvous.index};
        hello.joined.host = options_.host;
        hello.joined.address = connection_->own_address();
        hello.joined.processes = options_.processes;
        hello.joined.port = find_free_port();
        connection_->send(hello);
        loop_.run([this] { return deadline(); }, [this] { tick(); });
        return code_.value_or(1);
    }

private:
    void take_signals() {
        for (const int number : read_signals(guard_.signals.get())) {
            if (number == SIGCHLD) {
                supervisor_.reap();
            } else if (code_) {
                loop_.stop();
            } else if (connection_) {
                connection_->send(Signalled{number});
            }
        }
    }

    std::optional<TimePoint> deadline() {
        auto first = supervisor_.deadline();
        earlier(first, output_.deadline());
        return first;
    }

    void tick() {
        for (const Message& message : std::exchange(orders_, {})) {
            if (const auto* start = std::get_if<Start>(&message)) {
                supervisor_.carry_out(*start);
            } else if (const auto* stop = std::get_if<Stop>(&message)) {
                supervisor_.carry_out(*stop);
            } else if (const auto* forward = std::get_if<Forward>(&message)) {
                supervisor_.carry_out(*forward);
            } else if (const auto* conclude = std::get_if<Conclude>(&message)) {
                code_ = conclude->code;
                supervisor_.kill_all();
            }
        }
        supervisor_.tick();
        output_.tick();
        if (code_) {
            output_.flush();
            if (output_.empty()) {
                loop_.stop();
            }
        }
    }

    Guard& guard_;
    Loop loop_;
    Output output_;
    SupervisorOptions options_;
    Supervisor supervisor_;
    std::optional<Connection> connection_;
    std::vector<Message> orders_;
    std::optional<int> code_;
};

} // namespace

int coordinate(Guard& guard, SessionOptions options) {
    Session session(guard, std::move(options));
    return session.run();
}

int join(Guard& guard,
         const Rendezvous& rendezvous,
         SupervisorOptions supervisor,
         OutputOptions output,
         Duration patience) {
    Member member(guard, std::move(supervisor), std::move(output));
    return member.run(rendezvous, patience);
}

SessionOptions session_of_plan(const launch::LaunchPlan& plan) {
    SessionOptions session;
    SupervisorOptions local;
    local.host = host_name();
    local.argv = plan.argv;
    local.gives_contract = false;
    local.passes_through = true;
    local.inherited = with(variables_of(slurm::Environment::of_process()), plan.environment);
    session.group.subject = plan.way == launch::Way::srun ? "srun" : "mpirun";
    session.rank_helper_tells_code = plan.rank_helper_tells_code;
    session.listens = plan.rank_helper_tells_code;
    session.listens_everywhere = plan.shape.nodes > 1;
    session.interrupt_is_termination = true;
    session.local = std::move(local);
    return session;
}

int run_plan(const launch::LaunchPlan& plan) {
    return run_guarded([&](Guard& guard) { return coordinate(guard, session_of_plan(plan)); });
}

std::vector<std::string> own_command(const Arguments& arguments) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    std::vector<std::string> argv{error ? std::string("muster") : self.string()};
    argv.insert(argv.end(), arguments.argv + 1, arguments.argv + arguments.argc);
    return argv;
}

std::optional<int> run_on_all_nodes(const Arguments& arguments) {
    const auto environment = slurm::Environment::of_process();
    if (!launch::is_in_allocation(environment) ||
        environment.get_or_empty("MUSTER_TRANSPORT") == "local") {
        return std::nullopt;
    }
    const auto plan = launch::plan_own_launch(
                          own_command(arguments), environment, launch::find_tools(environment))
                          .value_or_throw();
    if (!plan) {
        return std::nullopt;
    }
    log::info("run", "starts_anew why=\"{}\"", plan->why);
    return run_plan(*plan);
}

} // namespace muster::launcher::run
