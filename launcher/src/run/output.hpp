#pragma once

#include "run/lines.hpp"
#include "run/loop.hpp"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace muster::launcher::run {

enum class Stream { out = 1, error = 2 };

struct OutputOptions {
    Prefix prefix = Prefix::none;
    bool merge = false;
    bool quiet = false; ///< Only into log files.
    std::string log_folder;
    std::string host;
};

/// Where the ranks' lines go: muster's own standard output and error, and log files.
///
/// Writes without blocking, so that a reader that does not read holds up the ranks, through their
/// pipes, but never the supervisor: signals and time limits count all the same.
class Output {
public:
    Output(Loop& loop, OutputOptions options);
    ~Output();

    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    /// Opens the log files of a generation. @throws Error where that fails.
    void start_generation(int generation, int first_rank, int ranks);

    /// A line with its end, or a piece of one.
    void add(int rank, Stream stream, std::string text);

    /// Muster's own sentence, on standard error, "muster: " before it.
    void say(std::string_view text);

    /// What waits to be merged, now.
    void flush();

    [[nodiscard]] bool full() const;
    [[nodiscard]] bool empty() const;

    /// Nobody reads it any more.
    [[nodiscard]] bool is_broken(Stream stream) const;

    [[nodiscard]] std::optional<TimePoint> deadline() const;
    void tick();

private:
    struct Channel {
        int fd = -1;
        std::string waiting;
        bool broken = false;
        LineMerger merger{std::chrono::milliseconds(250)};
        bool at_line_start = true;
        int last_rank = -1;
    };

    Channel& channel(Stream stream) { return channels_[stream == Stream::out ? 0 : 1]; }

    [[nodiscard]] const Channel& channel(Stream stream) const {
        return channels_[stream == Stream::out ? 0 : 1];
    }

    void put(Channel& channel, std::string_view text);
    void print(Channel& channel, const std::string& ranks, const std::string& text);
    void write_some(Channel& channel);
    void log(int rank, Stream stream, std::string_view text);

    Loop& loop_;
    OutputOptions options_;
    TimePoint began_;
    std::array<Channel, 2> channels_;
    std::map<std::pair<int, Stream>, int> logs_;
};

} // namespace muster::launcher::run
