#pragma once

#include <muster/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Where runs listen for those who look at them: a Unix socket each, in a directory of the user's
/// that nobody else can enter.
namespace muster::look {

/// Of the protocol: what a run says first, and a request may begin with.
inline constexpr int protocol_version = 1;

/// A run's socket, as its name says.
struct Place {
    std::filesystem::path path;
    std::int64_t pid = 0;
    std::string job; ///< Slurm's; empty outside any.
};

/// What the name of a socket says: "4711.sock", or "4711-job815.sock". Nothing: it is none.
[[nodiscard]] std::optional<Place> parse_place(const std::filesystem::path& path);

/// The name for a process, in a job if `job` is not empty. `number`: above 0 if others of the name
/// are there, of processes in another container.
[[nodiscard]] std::string socket_name(std::int64_t pid, std::string_view job, int number);

/// Where runs of this user listen, on this machine: what is looked through, the first for new ones.
/// `runtime` is XDG_RUNTIME_DIR; it counts if it is an absolute path to a directory.
[[nodiscard]] std::vector<std::filesystem::path> directories(std::string_view runtime,
                                                             std::uint32_t user);

/// The path is a directory of the user's that nobody else can enter. @return why not.
[[nodiscard]] std::optional<std::string> refusal(const std::filesystem::path& directory,
                                                 std::uint32_t user);

/// A socket that listens.
struct Listening {
    int fd = -1;
    std::filesystem::path path;
    std::filesystem::path directory;
};

/// Makes a directory if it is missing, and listens in it. The caller ends it by stop_listening().
[[nodiscard]] Result<Listening> listen(const std::vector<std::filesystem::path>& directories,
                                       std::int64_t pid,
                                       std::string_view job);

/// Removes the socket, and the directory if it was the last in it.
void remove_socket(const Listening& listening) noexcept;
void stop_listening(const Listening& listening) noexcept;

/// Runs that answer, by process. Sockets that nobody listens at any more are removed.
[[nodiscard]] std::vector<Place> find_runs(const std::vector<std::filesystem::path>& directories,
                                           std::uint32_t user);

/// A connection to a run, which belongs to the caller.
/// @return a Failure that says why there is none.
[[nodiscard]] Result<int> connect(const std::filesystem::path& path);

/// A value in a request, without blanks.
[[nodiscard]] std::string escape(std::string_view value);
[[nodiscard]] std::string unescape(std::string_view value);

} // namespace muster::look
