#pragma once

#include <muster/base/amount.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// A program to run, as data.
struct CommandSpec {
    /// Program and arguments. A program without '/' is looked up in the command's PATH; a relative
    /// one is relative to `directory`. No shell: for one, {"sh", "-c", "…"}.
    std::vector<std::string> argv{};
    /// Added to the rank's environment, or replacing what is there. The variables that make the
    /// rank a process of its MPI launcher are not passed on. Unless they are here,
    /// CUDA_VISIBLE_DEVICES has the GPUs of its task, if the rank has any, and OMP_NUM_THREADS, if
    /// the rank has none, the CPUs.
    std::vector<std::pair<std::string, std::string>> environment{};
    std::string directory{}; ///< Working directory; empty: the rank's at its start.
    std::string input{};     ///< Standard input; /dev/null if this and `input_file` are empty.
    /// A file that becomes standard input, relative to the rank's directory.
    std::string input_file{};
    /// Capture standard output and error; otherwise both are the rank's own.
    bool capture = true;
    /// Of each stream the last so many bytes are kept.
    Bytes capture_max = Bytes{1 << 20};
    /// Logical CPUs to bind to; empty: those of its task, if it has its own, else the rank's mask
    /// at its start.
    std::vector<int> cpu_ids{};
};

/// How a command ended.
struct CommandResult {
    int exit_code = 0; ///< 128 + signal if a signal ended it, as shells have it.
    int signal = 0;    ///< The signal that ended it; 0 if it exited by itself.
    std::string out;   ///< Standard output, its last `capture_max` bytes.
    std::string err;   ///< Standard error, likewise.
    Bytes out_dropped; ///< What was written before `out` and not kept.
    Bytes err_dropped;
    double wall_seconds = 0;
    double cpu_seconds =
        0;             ///< User and system time, of the command and the children it waited for.
    Bytes memory_peak; ///< Largest resident size of any one of these processes.
    bool timed_out = false; ///< It was ended because it took longer than it was given.

    [[nodiscard]] bool ok() const { return exit_code == 0 && signal == 0; }
};

/// What a command may take, besides what its task demands.
struct CommandLimits {
    Bytes memory{}; ///< Of it and what it starts; exceeding it ends it. 0: any.
    /// After that much time its process group gets SIGTERM, and SIGKILL three seconds later. 0:
    /// any.
    std::chrono::milliseconds timeout{0};
};

enum class CommandStream : std::uint8_t { out, err };

/// Hears what a command writes, as it comes, in pieces of any size. Called by the thread that waits
/// for the command; what it throws ends the command.
using CommandOutput = std::function<void(CommandStream stream, std::string_view bytes)>;

} // namespace muster
