#pragma once

#include "digits_sweep/report.hpp"

#include <cstddef>
#include <iosfwd>

namespace digits {

/// Shows the sweep's progress on a stream: redrawn in place on a terminal; elsewhere, where lines
/// stay for ever, anew once as many more jobs are done as a tenth of the trials. One thread at a
/// time.
class ProgressDisplay {
public:
    /// @param width  Columns of the terminal; longer lines are cut, since a wrapped line would
    ///               spoil the redrawing.
    ProgressDisplay(std::ostream& out, bool is_terminal, int width = 80);

    void show(const Progress& progress);

    /// Something else is printed now: what was drawn stays, and the next is drawn below.
    void leave() { lines_drawn_ = 0; }

private:
    std::ostream& out_;
    bool is_terminal_;
    int width_;
    std::size_t lines_drawn_ = 0;
    std::size_t tenths_shown_ = 0;
};

/// A display of standard output: in place if that is a terminal, as wide as it says it is.
[[nodiscard]] ProgressDisplay standard_output_display();

} // namespace digits
