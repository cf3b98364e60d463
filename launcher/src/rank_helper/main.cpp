/// muster-rank PROGRAM [ARGUMENTS]: what an MPI launcher started by `muster run` starts.
///
/// It becomes the program. Only rank 0 stays, to tell `muster run` how the program ended where the
/// launcher does not: Open MPI's mpirun returns 0 whatever becomes of ranks that may be lost. It is
/// started once per rank, so it links nothing but the C library.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kind_of_rank_ended = 1; // its place among the messages of run/wire.hpp
constexpr int connect_patience_ms = 2000;

int number_of(const char* const* names, int otherwise) {
    for (; *names != nullptr; ++names) {
        const char* const text = std::getenv(*names);
        if (text != nullptr && *text != '\0') {
            return std::atoi(text);
        }
    }
    return otherwise;
}

int rank() {
    static const char* const names[] = {
        "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "PALS_RANKID", "SLURM_PROCID", nullptr};
    return number_of(names, -1);
}

int local_rank() {
    static const char* const names[] = {"OMPI_COMM_WORLD_LOCAL_RANK",
                                        "MPI_LOCALRANKID",
                                        "PALS_LOCAL_RANKID",
                                        "SLURM_LOCALID",
                                        nullptr};
    return number_of(names, 0);
}

/// The local rank's part of CUDA_VISIBLE_DEVICES, or of all by their numbers.
void choose_gpus() {
    const char* const wanted = std::getenv("MUSTER_RANK_GPUS");
    if (wanted == nullptr) {
        return;
    }
    const int each = std::atoi(wanted);
    const int first = local_rank() * each;
    const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
    char list[4096] = "";
    std::size_t used = 0;
    if (visible == nullptr) {
        for (int i = 0; i < each && used < sizeof list - 16; ++i) {
            used += static_cast<std::size_t>(
                std::snprintf(list + used, sizeof list - used, i == 0 ? "%d" : ",%d", first + i));
        }
    } else {
        int index = 0;
        for (const char* start = visible; *start != '\0'; ++index) {
            const std::size_t length = std::strcspn(start, ",");
            if (index >= first && index < first + each && used + length + 2 < sizeof list) {
                used += static_cast<std::size_t>(std::snprintf(list + used,
                                                               sizeof list - used,
                                                               used == 0 ? "%.*s" : ",%.*s",
                                                               static_cast<int>(length),
                                                               start));
            }
            start += length + (start[length] == ',' ? 1 : 0);
        }
        if (index < first + each) {
            std::fprintf(stderr,
                         "muster-rank: local rank %d needs %d GPUs, and the node shows %d\n",
                         local_rank(),
                         each,
                         index);
            std::exit(2);
        }
    }
    ::setenv("CUDA_VISIBLE_DEVICES", list, 1);
}

std::size_t put_number(char* place, std::size_t value) {
    for (int i = 0; i < 4; ++i) {
        place[i] = static_cast<char>((value >> (8 * i)) & 0xff);
    }
    return 4;
}

std::size_t put_field(char* place, const char* text) {
    const std::size_t size = std::strlen(text);
    put_number(place, size);
    std::memcpy(place + 4, text, size);
    return 4 + size;
}

/// "10.0.0.3:4711": true if it was told.
bool tell(const char* endpoint, std::size_t length, const char* frame, std::size_t size) {
    char host[64];
    const char* const colon = static_cast<const char*>(memrchr(endpoint, ':', length));
    if (colon == nullptr || static_cast<std::size_t>(colon - endpoint) >= sizeof host) {
        return false;
    }
    std::memcpy(host, endpoint, static_cast<std::size_t>(colon - endpoint));
    host[colon - endpoint] = '\0';
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(colon + 1)));
    if (::inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return false; // a name, for others
    }
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool connected =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!connected && errno == EINPROGRESS) {
        pollfd state{fd, POLLOUT, 0};
        int error = 0;
        socklen_t error_size = sizeof error;
        connected = ::poll(&state, 1, connect_patience_ms) == 1 &&
                    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) == 0 && error == 0;
    }
    const bool told =
        connected && ::send(fd, frame, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
    ::close(fd);
    return told;
}

void report(const char* endpoints, const char* secret, int code) {
    char frame[1024];
    char number[16];
    if (std::strlen(secret) > 512) {
        return;
    }
    std::size_t size = 4;
    std::snprintf(number, sizeof number, "%d", kind_of_rank_ended);
    size += put_field(frame + size, number);
    size += put_field(frame + size, secret);
    std::snprintf(number, sizeof number, "%d", code);
    size += put_field(frame + size, number);
    put_number(frame, size - 4);
    for (const char* start = endpoints; *start != '\0';) {
        const std::size_t length = std::strcspn(start, ",");
        if (tell(start, length, frame, size)) {
            return;
        }
        start += length + (start[length] == ',' ? 1 : 0);
    }
}

[[noreturn]] void become(char** arguments) {
    ::execvp(arguments[0], arguments);
    const int error = errno;
    std::fprintf(stderr, "muster-rank: '%s': %s\n", arguments[0], std::strerror(error));
    ::_exit(error == ENOENT ? 127 : 126);
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: muster-rank PROGRAM [ARGUMENTS], under muster run\n");
        return 2;
    }
    choose_gpus();
    const char* const endpoints = std::getenv("MUSTER_RANK_REPORT");
    const char* const secret = std::getenv("MUSTER_RANK_SECRET");
    if (rank() != 0 || endpoints == nullptr || secret == nullptr) {
        ::unsetenv("MUSTER_RANK_REPORT");
        ::unsetenv("MUSTER_RANK_SECRET");
        become(argv + 1);
    }
    const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT};
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    for (const int number : ignored) {
        sigaddset(&blocked, number);
    }
    ::sigprocmask(SIG_BLOCK, &blocked, &before); // the launcher signals the group: the program, too
    const pid_t self = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != self) {
            ::_exit(127);
        }
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        ::unsetenv("MUSTER_RANK_REPORT");
        ::unsetenv("MUSTER_RANK_SECRET");
        become(argv + 1);
    }
    if (child < 0) {
        become(argv + 1);
    }
    ::close(STDIN_FILENO); // the program's alone
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    report(endpoints, secret, code);
    if (WIFSIGNALED(status)) { // in the same way, but with no core file of this
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        ::signal(WTERMSIG(status), SIG_DFL);
        ::raise(WTERMSIG(status));
    }
    return code;
}
