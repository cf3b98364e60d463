#include "look/runs.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace muster::launcher::look {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* over_srun_mark = "MUSTER_LOOK_OVER_SRUN";
constexpr timeval patience{15, 0};

class Connection {
public:
    explicit Connection(int fd) : fd_(fd) {
        (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ~Connection() { ::close(fd_); }

    void send(std::string_view text) const {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) {
                continue;
            }
            if (sent <= 0) {
                return; // the answer is missing, and that is said
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    /// Nothing: the other side has closed, or says nothing any more.
    std::optional<std::string> line() {
        while (true) {
            if (const auto end = text_.find('\n', searched_); end != std::string::npos) {
                std::string found = text_.substr(begin_, end - begin_);
                begin_ = end + 1;
                searched_ = begin_;
                return found;
            }
            text_.erase(0, begin_);
            begin_ = 0;
            searched_ = text_.size();
            std::array<char, 65536> some{};
            const ssize_t size = ::recv(fd_, some.data(), some.size(), 0);
            if (size < 0 && errno == EINTR) {
                continue;
            }
            if (size <= 0) {
                return std::nullopt;
            }
            text_.append(some.data(), static_cast<std::size_t>(size));
        }
    }

private:
    int fd_;
    std::string text_;
    std::size_t begin_ = 0;
    std::size_t searched_ = 0;
};

std::string describe(const muster::look::Place& run) {
    std::string program = "?";
    std::string ranks;
    try {
        const json hello = ask(run, "hello", [](const json&, const std::string&) {});
        program = hello.value("program", program);
        ranks = fmt::format(
            ", {} ranks, for {:.0f} s", hello.value("ranks", 0), hello.value("seconds", 0.0));
    } catch (const Error&) {
        ranks = ", does not answer";
    }
    return fmt::format("  --job {}{}: {}{}",
                       run.pid,
                       run.job.empty() ? std::string() : fmt::format(" (Slurm job {})", run.job),
                       program,
                       ranks);
}

std::string find_program(const char* name) {
    const char* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        const fs::path file = fs::path(rest.substr(0, end)) / name;
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (::access(file.c_str(), X_OK) == 0) {
            return file.string();
        }
    }
    return {};
}

bool is_job_id(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
        return (letter >= '0' && letter <= '9') || letter == '_' || letter == '+';
    });
}

[[noreturn]] void become_srun(const Arguments& arguments, const std::string& job) {
    const std::string node = arguments.has("node") ? arguments.get<std::string>("node") : "";
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    std::vector<std::string> command{self.string()};
    command.insert(command.end(), arguments.argv + 1, arguments.argv + arguments.argc);
    const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
    auto words = over_srun(job, node, terminal, command);
    std::vector<char*> list;
    for (std::string& word : words) {
        list.push_back(word.data());
    }
    list.push_back(nullptr);
    ::setenv(over_srun_mark, "1", 1);
    ::execvp(list.front(), list.data());
    throw Error(fmt::format("srun could not be started: {}", std::strerror(errno)));
}

} // namespace

void add_run_options(po::options_description& options) {
    options.add_options()("job,j",
                          po::value<std::string>()->value_name("ID"),
                          "which run: the id of its first process, or of its Slurm job; needed if "
                          "there are several");
    options.add_options()("node",
                          po::value<std::string>()->value_name("NODE"),
                          "the node of the Slurm job on which rank 0 is, if that is not its first");
}

muster::look::Place find_run(const Arguments& arguments) {
    const auto environment = slurm::Environment::of_process();
    const std::string wanted = arguments.has("job") ? arguments.get<std::string>("job") : "";
    const auto runtime = environment.find("XDG_RUNTIME_DIR").value_or(std::string_view{});
    const auto user = ::getuid();
    auto all = muster::look::find_runs(muster::look::directories(runtime, user), user);
    auto [fitting] = choose(all, wanted);
    if (fitting.size() == 1) {
        return std::move(fitting.front());
    }
    if (fitting.size() > 1) {
        std::string text =
            fmt::format("{} of your runs are on this machine; say which is meant:", fitting.size());
        for (const auto& run : fitting) {
            text += '\n' + describe(run);
        }
        throw UsageError(text);
    }
    const bool is_there = environment.find(over_srun_mark).has_value();
    if (is_job_id(wanted) && !is_there) {
        if (!find_program("srun").empty()) {
            become_srun(arguments, wanted);
        }
        throw Error(
            fmt::format("no run {} of yours is on this machine, and there is no srun to look "
                        "for a Slurm job of that id",
                        wanted));
    }
    if (is_there) {
        throw Error(
            fmt::format("no run of job {} listens on this node. If its rank 0 is on another "
                        "one, name that by --node; with MUSTER_LOOK=0 none listens",
                        wanted));
    }
    std::string text = wanted.empty()
                           ? "no run of yours is on this machine"
                           : fmt::format("no run {} of yours is on this machine", wanted);
    text +=
        ". A run listens where its rank 0 is, unless MUSTER_LOOK=0; for one in a Slurm job, say "
        "--job with the job's id. What has ended is in its trace: muster report DIR";
    throw Error(text);
}

json ask(const muster::look::Place& run,
         const std::string& request,
         const std::function<void(const json&, const std::string& line)>& take) {
    const auto fd = muster::look::connect(run.path);
    if (!fd) {
        throw Error(fmt::format("the run {} does not listen: {}", run.pid, fd.error().message));
    }
    Connection connection(*fd);
    connection.send(request + '\n');
    json hello;
    while (const auto line = connection.line()) {
        const json item = json::parse(*line, nullptr, false);
        const std::string type = item.is_object() ? item.value("type", "") : "";
        if (type == "hello") {
            hello = item;
            if (hello.value("protocol", 0) != muster::look::protocol_version) {
                throw Error(
                    fmt::format("the run {} was built with another version of Muster, which "
                                "speaks protocol {}; this one speaks {}",
                                run.pid,
                                hello.value("protocol", 0),
                                muster::look::protocol_version));
            }
        } else if (type == "error") {
            throw Error(item.value("text", "the run refuses"));
        } else if (type == "end") {
            return hello;
        } else if (!type.empty()) {
            take(item, *line);
        } else {
            throw Error(fmt::format("the run {} answers with what is no answer", run.pid));
        }
    }
    throw Error(hello.is_null()
                    ? fmt::format("the run {} does not answer: it is stopped, or ends", run.pid)
                    : fmt::format("the run {} ended before its answer did", run.pid));
}

} // namespace muster::launcher::look
