#pragma once

#include <unistd.h>

#include <string>

namespace muster::runtime {

/// Writes the text and a line's end in one call, so that lines of several ranks do not mix.
inline void write_line(std::string text) {
    text += '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace muster::runtime
