#pragma once

#include "run/group.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::launcher::run {

/// The first that a supervisor says. Whoever does not know the secret is not listened to.
struct Hello {
    std::string secret;
    Joined joined;
};

/// What muster-rank says: how the rank ended that an MPI launcher started.
struct RankEnded {
    std::string secret;
    int code = 0;
};

/// The end of the run, which every supervisor makes its own.
struct Conclude {
    int code = 0;
};

using Message =
    std::variant<Hello, RankEnded, Exited, Stopped, Signalled, Start, Stop, Forward, Conclude>;

/// One frame: its length, then fields, each with its length, all as 32-bit little-endian numbers.
[[nodiscard]] std::string encode(const Message& message);

/// Cuts a stream into frames and decodes them. Once it has failed it stays so.
class Decoder {
public:
    /// @param frame_max  A longer frame is a failure, before memory is spent on it.
    explicit Decoder(std::size_t frame_max) : frame_max_(frame_max) {}

    void add(std::string_view bytes) { bytes_ += bytes; }

    void set_frame_max(std::size_t frame_max) { frame_max_ = frame_max; }

    /// The next message, if it is complete.
    [[nodiscard]] std::optional<Message> next();

    [[nodiscard]] bool failed() const { return failed_; }

private:
    std::size_t frame_max_;
    std::string bytes_;
    bool failed_ = false;
};

/// In a time that says nothing about where they differ.
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b);

} // namespace muster::launcher::run
