#pragma once

#include <muster/core/command.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::process {

/// Names a command between a rank and its zygote; counts up, never reused.
enum class CommandId : std::uint64_t {};

/// One packet from the rank, and behind it `inline_bytes` of an encoded specification. With `start`
/// travel descriptors, in this order: a file with the encoded specification, if it does not stand
/// behind the request, the report pipe, then the output and error pipes if the output is captured.
/// With `host`: the report pipe, the process's end of its channel, and its error pipe.
struct Request {
    enum class Kind : std::uint32_t { start, host, signal };

    Kind kind = Kind::start;
    std::int32_t signal = 0;
    CommandId id{};
    std::uint64_t memory_limit_bytes = 0; ///< Of what is started; 0: none.
    std::uint64_t inline_bytes = 0;
};

/// One write on a command's report pipe; shorter than PIPE_BUF, so never torn.
struct Report {
    enum class Kind : std::uint32_t {
        started, ///< `pid` runs, or is about to.
        failed,  ///< Could not be started: `stage` and `value`, an errno.
        ended,   ///< `value` as from wait(2), and what it took.
    };

    enum class Stage : std::uint32_t { none, request, fork, directory, input, affinity, program };

    Kind kind = Kind::started;
    Stage stage = Stage::none;
    std::int32_t pid = 0;
    std::int32_t value = 0;
    std::int64_t wall_ns = 0;
    std::int64_t cpu_ns = 0;
    std::uint64_t memory_peak_bytes = 0;
    std::uint64_t memory_exceeded_bytes = 0; ///< What it used when that was too much, else 0.
};

/// Descriptors of a start request.
inline constexpr std::size_t request_fds_max = 4;

/// Of a specification behind its request; what is longer comes in a file.
inline constexpr std::size_t inline_bytes_max = std::size_t{16} << 10;

/// The part of a specification that the zygote needs. Both ends are one binary on one machine, so
/// the encoding is lengths and bytes, without a version.
std::string encode(const CommandSpec& spec);

/// Nothing if the bytes are not what encode() makes.
std::optional<CommandSpec> decode(std::string_view bytes);

} // namespace muster::process
