#include <muster/look/place.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>

namespace muster::look {
namespace {

namespace fs = std::filesystem;

constexpr int backlog = 16;
constexpr int attempts_max = 64;

/// Nothing: the path is too long for a socket (107 bytes).
std::optional<sockaddr_un> address_of(const fs::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    if (text.size() >= sizeof address.sun_path) {
        return std::nullopt;
    }
    std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
    return address;
}

int new_socket() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // Of a process that is stopped, whose queue is full, connect() would wait for ever.
    const timeval patience{2, 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

Failure failure(std::string text) {
    return {ErrorCode::failed, std::move(text)};
}

bool take_digits(std::string_view& text, std::int64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < 0) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

/// Nothing: another process listens there.
std::optional<Result<Listening>> listen_at(const fs::path& path) {
    const auto address = address_of(path);
    if (!address) {
        return failure(fmt::format("{} is too long for a socket's path", path.string()));
    }
    const int fd = new_socket();
    if (fd < 0) {
        return failure(fmt::format("no socket: {}", std::strerror(errno)));
    }
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        ::listen(fd, backlog) != 0) {
        const int error = errno;
        ::close(fd);
        if (error == EADDRINUSE) {
            return std::nullopt;
        }
        return failure(fmt::format("{}: {}", path.string(), std::strerror(error)));
    }
    return Listening{fd, path, path.parent_path()};
}

} // namespace

std::optional<Place> parse_place(const fs::path& path) {
    std::string name = path.filename().string();
    constexpr std::string_view suffix = ".sock";
    if (!name.ends_with(suffix)) {
        return std::nullopt;
    }
    std::string_view rest(name);
    rest.remove_suffix(suffix.size());
    Place place{path, 0, {}};
    if (!take_digits(rest, place.pid)) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    if (rest.starts_with('.')) {
        rest.remove_prefix(1);
        if (!take_digits(rest, number)) {
            return std::nullopt;
        }
    }
    constexpr std::string_view before_job = "-job";
    if (rest.starts_with(before_job)) {
        place.job = rest.substr(before_job.size());
        return place.job.empty() ? std::nullopt : std::optional(std::move(place));
    }
    return rest.empty() ? std::optional(std::move(place)) : std::nullopt;
}

std::string socket_name(std::int64_t pid, std::string_view job, int number) {
    return fmt::format("{}{}{}{}.sock",
                       pid,
                       number == 0 ? std::string() : fmt::format(".{}", number),
                       job.empty() ? "" : "-job",
                       job);
}

std::vector<fs::path> directories(std::string_view runtime, std::uint32_t user) {
    std::vector<fs::path> all;
    std::error_code error;
    const auto add = [&](fs::path path) {
        if (std::find(all.begin(), all.end(), path) == all.end()) {
            all.push_back(std::move(path));
        }
    };
    if (runtime.starts_with('/') && fs::is_directory(runtime, error)) {
        add(fs::path(runtime) / "muster");
    }
    add(fmt::format("/tmp/muster-{}", user));
    // Where a login shell's are, though this process was started otherwise.
    if (const fs::path usual = fmt::format("/run/user/{}", user); fs::is_directory(usual, error)) {
        add(usual / "muster");
    }
    return all;
}

std::optional<std::string> refusal(const fs::path& directory, std::uint32_t user) {
    struct stat status {};

    if (::lstat(directory.c_str(), &status) != 0) {
        return fmt::format("{}: {}", directory.string(), std::strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        return fmt::format("{} is not a directory", directory.string());
    }
    if (status.st_uid != user) {
        return fmt::format(
            "{} belongs to user {}, not to {}", directory.string(), status.st_uid, user);
    }
    if ((status.st_mode & 077U) != 0) {
        return fmt::format("others can enter {}: chmod 700 it", directory.string());
    }
    return std::nullopt;
}

Result<Listening>
listen(const std::vector<fs::path>& directories, std::int64_t pid, std::string_view job) {
    Failure last = failure("there is no directory to listen in");
    for (const fs::path& directory : directories) {
        for (int number = 0; number < attempts_max; ++number) {
            // Each time: who was the last in it may have removed it just now.
            if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
                last = failure(fmt::format("{}: {}", directory.string(), std::strerror(errno)));
                break;
            }
            if (const auto why = refusal(directory, ::getuid())) {
                last = failure(*why);
                break;
            }
            const fs::path path = directory / socket_name(pid, job, number);
            if (const auto other = connect(path)) {
                ::close(*other);
                continue;
            }
            ::unlink(path.c_str()); // of a process that had this id before
            if (auto made = listen_at(path)) {
                if (*made) {
                    return std::move(*made);
                }
                last = made->error();
                if (fs::exists(directory)) {
                    break;
                }
            }
        }
    }
    return last;
}

void remove_socket(const Listening& listening) noexcept {
    ::unlink(listening.path.c_str());
    ::rmdir(listening.directory.c_str()); // fails, as it should, if others are in it
}

void stop_listening(const Listening& listening) noexcept {
    remove_socket(listening);
    ::close(listening.fd);
}

std::vector<Place> find_runs(const std::vector<fs::path>& directories, std::uint32_t user) {
    std::vector<Place> runs;
    for (const fs::path& directory : directories) {
        if (refusal(directory, user)) {
            continue;
        }
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(directory, error)) {
            auto place = parse_place(entry.path());
            if (!place) {
                continue;
            }
            if (const auto fd = connect(place->path)) {
                ::close(*fd);
                runs.push_back(std::move(*place));
            } else if (fd.error().code == ErrorCode::object_lost) {
                ::unlink(place->path.c_str());
            }
        }
    }
    std::sort(runs.begin(), runs.end(), [](const Place& a, const Place& b) {
        return std::pair(a.pid, a.path) < std::pair(b.pid, b.path);
    });
    return runs;
}

Result<int> connect(const fs::path& path) {
    const auto address = address_of(path);
    if (!address) {
        return failure(fmt::format("{} is too long for a socket's path", path.string()));
    }
    const int fd = new_socket();
    if (fd < 0) {
        return failure(fmt::format("no socket: {}", std::strerror(errno)));
    }
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0) {
        return fd;
    }
    const int error = errno;
    ::close(fd);
    Failure why = failure(fmt::format("{}: {}", path.string(), std::strerror(error)));
    if (error == ECONNREFUSED) {
        why.code = ErrorCode::object_lost; // nobody listens there any more
    }
    return why;
}

std::string escape(std::string_view value) {
    std::string text;
    for (const char letter : value) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte <= ' ' || byte == '%' || byte == '=' || byte == 0x7F) {
            text += fmt::format("%{:02x}", byte);
        } else {
            text += letter;
        }
    }
    return text;
}

std::string unescape(std::string_view value) {
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        unsigned byte = 0;
        if (value[i] == '%' && i + 2 < value.size()) {
            const char* const digits = value.data() + i + 1;
            if (std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
                text += static_cast<char>(byte);
                i += 2;
                continue;
            }
        }
        text += value[i];
    }
    return text;
}

} // namespace muster::look
